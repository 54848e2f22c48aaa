// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// Sixteen random bytes that name one thing for ever; never reused, never derived from a name.
public protocol UniqueIdentifier: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Big-endian halves of the sixteen bytes: inline, so that an identifier costs no allocation.
    var words: UIDWords { get }
    init(words: UIDWords)
}

/// The storage of a 16-byte identifier.
public struct UIDWords: Hashable, Sendable {
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

extension UniqueIdentifier {
    /// Fails unless there are exactly sixteen bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for (position, byte) in bytes.enumerated() {
            if position < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
        }
        self.init(words: UIDWords(high: high, low: low))
    }

    /// Fails unless there are exactly 32 lowercase hexadecimal digits.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 32 else { return nil }
        var bytes: [UInt8] = []
        var pending: UInt8?
        for character in hex.utf8 {
            let nibble: UInt8
            switch character {
            case 0x30...0x39: nibble = character - 0x30
            case 0x61...0x66: nibble = character - 0x61 + 10
            default: return nil
            }
            if let first = pending {
                bytes.append(first << 4 | nibble)
                pending = nil
            } else {
                pending = nibble
            }
        }
        self.init(bytes: bytes)
    }

    /// A fresh identifier out of `random`.
    public init(random: some RandomByteSource) {
        let bytes = random.bytes(16)
        let high = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let low = bytes.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        self.init(words: UIDWords(high: high, low: low))
    }

    /// The sixteen bytes.
    public var bytes: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(16)
        for word in [words.high, words.low] {
            for shift in stride(from: 56, through: 0, by: -8) { out.append(UInt8(truncatingIfNeeded: word >> UInt64(shift))) }
        }
        return out
    }

    /// 32 lowercase hexadecimal digits.
    public var hex: String {
        let digits: [UInt8] = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    public var description: String { hex }

    public static func < (left: Self, right: Self) -> Bool {
        (left.words.high, left.words.low) < (right.words.high, right.words.low)
    }
}

/// Names a vault through renames of everything else; a vault created again under the same name has another one.
public struct VaultUID: UniqueIdentifier {
    public let words: UIDWords
    public init(words: UIDWords) { self.words = words }
    /// The all-zero value that stands for "no vault" in the seals of account records.
    public static let none = VaultUID(words: UIDWords(high: 0, low: 0))
}

/// Names an archive and, before completion, the multipart upload that will become it.
public struct ArchiveUID: UniqueIdentifier {
    public let words: UIDWords
    public init(words: UIDWords) { self.words = words }
}

/// Names a multipart upload.
public struct UploadUID: UniqueIdentifier {
    public let words: UIDWords
    public init(words: UIDWords) { self.words = words }
}

/// Names a retrieval or inventory job.
public struct JobUID: UniqueIdentifier {
    public let words: UIDWords
    public init(words: UIDWords) { self.words = words }
}

/// Names a staged output in the warm store.
public struct StagedUID: UniqueIdentifier {
    public let words: UIDWords
    public init(words: UIDWords) { self.words = words }
}

/// Names a message to a topic, the same over all attempts to deliver it.
public struct MessageUID: UniqueIdentifier {
    public let words: UIDWords
    public init(words: UIDWords) { self.words = words }
}

/// Names an entry of the audit log.
public struct AuditUID: UniqueIdentifier {
    public let words: UIDWords
    public init(words: UIDWords) { self.words = words }
}
