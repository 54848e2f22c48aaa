// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// The identifiers that clients hold: archive, upload and job ids (Docs/Formats/Identifier-v1.md).
///
/// `version ‖ uid ‖ vault uid ‖ random ‖ MAC`, base64url without padding: 138 characters for archives, 92 for uploads and jobs. The MAC under a
/// dedicated key covers the account, so forgeries and other accounts' ids cost no look-up, and "deleted", "another vault's" and "never
/// issued" are told apart without tombstones.
public struct Identifier: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        case archive = 1
        case upload = 2
        case job = 3

        /// Bytes before encoding: 103 or 69.
        var byteCount: Int { self == .archive ? 103 : 69 }
        /// Characters on the wire: 138 or 92.
        public var characterCount: Int { self == .archive ? 138 : 92 }
    }

    public let kind: Kind
    /// The uid of the archive, upload or job.
    public let uid: UIDWords
    public let vault: VaultUID
    /// What clients see.
    public let text: String

    static let macBytes = 16
}

/// Mints and checks ``Identifier``s under the service's identifier key. A value; safe to share.
public struct IdentifierCodec: Sendable {
    private let key: SecretKey

    public init(key: SecretKey) { self.key = key }

    /// A new identifier for `uid`, unguessable and bound to `account` and `vault`.
    public func mint(
        _ kind: Identifier.Kind, uid: UIDWords, vault: VaultUID, account: AccountID, random: some RandomByteSource
    ) -> Identifier {
        var bytes: [UInt8] = [kind.rawValue]
        bytes += VaultUID(words: uid).bytes
        bytes += vault.bytes
        bytes += random.bytes(kind.byteCount - bytes.count - Identifier.macBytes)
        bytes += mac(of: bytes, account: account)
        return Identifier(kind: kind, uid: uid, vault: vault, text: Base64URL.encode(bytes))
    }

    /// The identifier that `text` is, or nil when this service never issued it to `account`. Costs no look-up.
    public func parse(_ text: String, kind: Identifier.Kind, account: AccountID) -> Identifier? {
        guard text.utf8.count == kind.characterCount, let bytes = Base64URL.decode(text), bytes.count == kind.byteCount,
            bytes[0] == kind.rawValue
        else { return nil }
        let body = Array(bytes.dropLast(Identifier.macBytes))
        guard constantTimeEqual(mac(of: body, account: account), Array(bytes.suffix(Identifier.macBytes))),
            let uid = VaultUID(bytes: bytes[1..<17]), let vault = VaultUID(bytes: bytes[17..<33])
        else { return nil }
        return Identifier(kind: kind, uid: uid.words, vault: vault, text: text)
    }

    private func mac(of bytes: [UInt8], account: AccountID) -> [UInt8] {
        let message = Array("coldvault/id/v1".utf8) + [0] + Array(account.digits.utf8) + bytes
        let digest = key.withUnsafeBytes { HMACSHA256.authenticate(message, key: $0) }
        return Array(digest.bytes.prefix(Identifier.macBytes))
    }
}

/// Base64 with the URL alphabet and without padding (RFC 4648 section 5); rejects non-canonical endings.
public enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 255, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()

    public static func encode(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count * 4 + 2) / 3)
        var accumulator: UInt32 = 0
        var bits: UInt32 = 0
        for byte in bytes {
            accumulator = accumulator << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                out.append(alphabet[Int(accumulator >> bits & 63)])
            }
        }
        if bits > 0 { out.append(alphabet[Int(accumulator << (6 - bits) & 63)]) }
        return String(decoding: out, as: UTF8.self)
    }

    public static func decode(_ text: String) -> [UInt8]? {
        var out: [UInt8] = []
        out.reserveCapacity(text.utf8.count * 3 / 4)
        var accumulator: UInt32 = 0
        var bits: UInt32 = 0
        for character in text.utf8 {
            let value = values[Int(character)]
            guard value != 255 else { return nil }
            accumulator = accumulator << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                out.append(UInt8(truncatingIfNeeded: accumulator >> bits))
            }
        }
        // Left-over bits must be zero, or two texts would name one thing.
        guard bits < 6, accumulator & ((1 << bits) - 1) == 0 else { return nil }
        return out
    }
}
