// SPDX-License-Identifier: Apache-2.0

/// What a blob holds. Docs/Formats/Blob-v1.md.
public enum BlobKind: UInt8, Hashable, Sendable, CaseIterable {
    /// A part of an archive, sealed under the archive's data key.
    case part = 1
    /// An archive's manifest, sealed under a vault key.
    case manifest = 2
    /// A state record, sealed under the master key or a vault key.
    case record = 3
    /// Staged retrieval output: a part body under its own random key.
    case staged = 4
    /// Entries of the audit log, sealed under the audit key.
    case audit = 5
}

/// The first 40 bytes of every blob, in clear, so that a reader knows how to open what it holds. They are bound to the
/// sealed bytes by the context (`BlobContext`). Docs/Formats/Blob-v1.md §1.
public struct BlobPreamble: Hashable, Sendable {
    /// Length in bytes.
    public static let byteCount = 40
    /// `0x89 "CLDV" CR LF 0x1A`: not text, and damaged by any transfer that thinks it is.
    public static let magic: [UInt8] = [0x89, 0x43, 0x4C, 0x44, 0x56, 0x0D, 0x0A, 0x1A]
    static let version: UInt8 = 1
    static let suite: UInt16 = 1
    static let uidBytes = 16

    public let kind: BlobKind
    /// 16 bytes: of the archive (part, manifest, upload and deletion record), the vault (vault record), the staged
    /// object, or `uid(ofAccount:)`.
    public let uid: [UInt8]
    /// Part: its index in the archive. Manifest, record and audit: version of the key that seals it. Staged: 0.
    public let index: UInt32
    /// Part: write number. Manifest and record: generation. Audit: number of the first entry. Staged: 0.
    public let number: UInt64

    /// - Parameter uid: exactly 16 bytes; anything else is a programmer's error and traps.
    public init(kind: BlobKind, uid: [UInt8], index: UInt32, number: UInt64) {
        precondition(uid.count == Self.uidBytes, "a uid is 16 bytes")
        self.kind = kind
        self.uid = uid
        self.index = index
        self.number = number
    }

    /// Reads the preamble from a blob's first bytes; more may follow.
    public init(parsing bytes: some Collection<UInt8>) throws(FormatError) {
        let bytes = Array(bytes.prefix(Self.byteCount))
        guard bytes.starts(with: Self.magic) else { throw .notABlob }
        guard bytes.count == Self.byteCount else { throw .malformed("blob shorter than its preamble") }
        guard bytes[9] == Self.version else { throw .newerVersion("blob format \(bytes[9])") }
        guard let kind = BlobKind(rawValue: bytes[8]) else { throw .newerVersion("blob kind \(bytes[8])") }
        let (suite, index, number) = bytes.withUnsafeBytes {
            (
                $0.bigEndian(at: 10, as: UInt16.self), $0.bigEndian(at: 28, as: UInt32.self),
                $0.bigEndian(at: 32, as: UInt64.self)
            )
        }
        guard suite == Self.suite else { throw .unknownSuite(suite) }
        self.init(kind: kind, uid: Array(bytes[12..<28]), index: index, number: number)
    }

    /// The 40 bytes.
    public var bytes: [UInt8] {
        var bytes = Self.magic
        bytes.reserveCapacity(Self.byteCount)
        bytes.append(kind.rawValue)
        bytes.append(Self.version)
        bytes.append(bigEndian: Self.suite)
        bytes.append(contentsOf: uid)
        bytes.append(bigEndian: index)
        bytes.append(bigEndian: number)
        return bytes
    }

    /// The uid of an account's records: the twelve digits and four zero bytes.
    public static func uid(ofAccount account: String) -> [UInt8] {
        let uid = Array(account.utf8) + [0, 0, 0, 0]
        precondition(uid.count == uidBytes, "an account is 12 digits")
        return uid
    }
}

/// What a caller knows about the blob it asks for; nil stands for "any". Checked before a key is used.
public struct BlobExpectation: Hashable, Sendable {
    public var kind: BlobKind
    public var uid: [UInt8]?
    public var index: UInt32?
    public var number: UInt64?

    public init(_ kind: BlobKind, uid: [UInt8]? = nil, index: UInt32? = nil, number: UInt64? = nil) {
        self.kind = kind
        self.uid = uid
        self.index = index
        self.number = number
    }

    /// Expects exactly one preamble.
    public init(_ preamble: BlobPreamble) {
        self.init(preamble.kind, uid: preamble.uid, index: preamble.index, number: preamble.number)
    }

    /// Refuses a preamble that names something else.
    public func check(_ preamble: BlobPreamble) throws(FormatError) {
        guard preamble.kind == kind else { throw .wrongIdentity("kind is \(preamble.kind), wanted \(kind)") }
        if let uid, preamble.uid != uid { throw .wrongIdentity("another uid") }
        if let index, preamble.index != index {
            throw .wrongIdentity("index is \(preamble.index), wanted \(index)")
        }
        if let number, preamble.number != number {
            throw .wrongIdentity("number is \(preamble.number), wanted \(number)")
        }
    }
}

/// The context a blob is sealed in: its preamble and its place. Docs/Formats/Blob-v1.md §2.
public struct BlobContext: Hashable, Sendable {
    /// `coldvault/blob/v1`, 0x00, preamble (40), account (12 digits), vault uid (16).
    public let bytes: [UInt8]

    /// - Parameters:
    ///   - account: exactly 12 ASCII digits.
    ///   - vaultUID: exactly 16 bytes; `noVault` for records of an account.
    public init(preamble: BlobPreamble, account: String, vaultUID: [UInt8]) {
        bytes =
            Array("coldvault/blob/v1".utf8) + [0] + preamble.bytes + Place.bytes(account: account, vaultUID: vaultUID)
    }

    /// Stands for the vault where there is none.
    public static let noVault = [UInt8](repeating: 0, count: 16)
}

/// The account and vault fields that blob and wrap contexts share.
enum Place {
    static func bytes(account: String, vaultUID: [UInt8]) -> [UInt8] {
        let digits = Array(account.utf8)
        precondition(
            digits.count == 12 && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) },
            "an account is 12 digits")
        precondition(vaultUID.count == 16, "a vault uid is 16 bytes")
        return digits + vaultUID
    }
}
