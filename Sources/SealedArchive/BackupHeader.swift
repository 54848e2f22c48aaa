// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// What a backup holds. Docs/Formats/Backup-v1.md.
public enum BackupKind: UInt8, Hashable, Sendable, CaseIterable {
    /// The catalog, as an SQLite database.
    case catalog = 1
    /// The files of `keys/`, as a ``KeyringBackup``.
    case keyring = 2

    /// How file names and reports call it.
    public var name: String {
        switch self {
        case .catalog: "catalog"
        case .keyring: "keyring"
        }
    }
}

/// The clear beginning of a backup: what it is, who signed it, and the file key, wrapped for each recipient.
/// Docs/Formats/Backup-v1.md §1, §3.
public struct BackupHeader: Hashable, Sendable {
    /// `0x89 "CVBK" CR LF 0x1A`.
    public static let magic: [UInt8] = [0x89, 0x43, 0x56, 0x42, 0x4B, 0x0D, 0x0A, 0x1A]
    /// Bytes before the recipients.
    public static let fixedBytes = 128
    /// Bytes of each recipient.
    public static let recipientBytes = BackupRecipient.keyIDBytes + KeyWrap.byteCount
    /// How many recipients a backup may have.
    public static let recipientCounts = 1...16
    /// The longest header.
    public static let maxBytes = fixedBytes + recipientCounts.upperBound * recipientBytes
    static let version: UInt8 = 1
    static let suite: UInt16 = 1
    static let saltBytes = 32

    /// One wrap of the file key.
    public struct Wrap: Hashable, Sendable {
        public let keyID: [UInt8]
        let wrapped: [UInt8]
    }

    public let kind: BackupKind
    /// When it was made, in milliseconds since 1970-01-01T00:00:00Z.
    public let createdMilliseconds: UInt64
    /// Of the newest checkpoint in the catalog when the copy was taken; 0 when there was none.
    public let generation: UInt64
    /// The Ed25519 public key that signs the trailer: 32 bytes.
    public let service: [UInt8]
    let salt: [UInt8]
    let ephemeral: [UInt8]
    public let wraps: [Wrap]

    /// Draws a file key and wraps it for each recipient; the key comes back for ``BackupSealing``.
    /// - Throws: `.malformed` for no recipient, too many, one twice, or a public key that nobody can hold.
    public static func make(
        _ kind: BackupKind, createdMilliseconds: UInt64, generation: UInt64, service: [UInt8],
        recipients: [BackupRecipient], random: some RandomByteSource
    ) throws(FormatError) -> (header: BackupHeader, fileKey: SecretKey) {
        precondition(service.count == Ed25519.publicKeyBytes, "a service's public key is 32 bytes")
        guard recipientCounts.contains(recipients.count), Set(recipients.map(\.keyID)).count == recipients.count else {
            throw .malformed("a backup has 1 to 16 different recipients")
        }
        let fileKey = SecretKey(random: random)
        let ephemeral = SecretKey(random: random)
        let salt = random.bytes(saltBytes)
        let fixed = fixed(
            kind, count: recipients.count, createdMilliseconds, generation, service, salt,
            ephemeral: try agreeing { () throws(CryptographyError) in try X25519.publicKey(secret: ephemeral) })
        var wraps: [Wrap] = []
        for recipient in recipients {
            let info = wrapInfo(fixed, recipient)
            let key = try agreeing { () throws(CryptographyError) in
                HKDFSHA512.derive(
                    from: try X25519.sharedSecret(secret: ephemeral, peer: recipient.publicKey), salt: salt, info: info)
            }
            let wrapped = try sealing { () throws(SealError) in
                try Seal.seal(keyMaterial: fileKey, key: key, context: info, random: random)
            }
            wraps.append(Wrap(keyID: recipient.keyID, wrapped: wrapped))
        }
        return (try BackupHeader(parsing: fixed + wraps.flatMap { $0.keyID + $0.wrapped }), fileKey)
    }

    /// Reads a header from a file's first bytes; more may follow.
    public init(parsing bytes: some Collection<UInt8>) throws(FormatError) {
        let bytes = Array(bytes.prefix(Self.maxBytes))
        guard bytes.starts(with: Self.magic) else { throw .notABlob }
        guard bytes.count >= Self.fixedBytes else { throw .seal(.truncated) }
        guard bytes[9] == Self.version else { throw .newerVersion("backup format \(bytes[9])") }
        guard let kind = BackupKind(rawValue: bytes[8]) else { throw .newerVersion("backup kind \(bytes[8])") }
        let (suite, count) = bytes.withUnsafeBytes {
            ($0.bigEndian(at: 10, as: UInt16.self), $0.bigEndian(at: 12, as: UInt32.self))
        }
        guard suite == Self.suite else { throw .unknownSuite(suite) }
        guard count <= UInt32(Self.recipientCounts.upperBound), Self.recipientCounts.contains(Int(count)) else {
            throw .malformed("backup with \(count) recipients")
        }
        guard bytes.count >= Self.fixedBytes + Int(count) * Self.recipientBytes else { throw .seal(.truncated) }
        self.kind = kind
        (createdMilliseconds, generation) = bytes.withUnsafeBytes {
            ($0.bigEndian(at: 16, as: UInt64.self), $0.bigEndian(at: 24, as: UInt64.self))
        }
        service = Array(bytes[32..<64])
        salt = Array(bytes[64..<96])
        ephemeral = Array(bytes[96..<128])
        var wraps: [Wrap] = []
        for index in 0..<Int(count) {
            let start = Self.fixedBytes + index * Self.recipientBytes
            let middle = start + BackupRecipient.keyIDBytes
            wraps.append(
                Wrap(keyID: Array(bytes[start..<middle]), wrapped: Array(bytes[middle..<(start + Self.recipientBytes)])))
        }
        guard Set(wraps.map(\.keyID)).count == wraps.count else { throw .malformed("backup with a recipient twice") }
        self.wraps = wraps
    }

    /// The header's bytes.
    public var bytes: [UInt8] { fixed + wraps.flatMap { $0.keyID + $0.wrapped } }

    /// Length in bytes.
    public var byteCount: Int { Self.fixedBytes + wraps.count * Self.recipientBytes }

    /// What the payload is sealed in.
    public var context: [UInt8] { Array("coldvault/backup/v1".utf8) + [0] + bytes }

    /// The file key, for the holder of one of the recipients' private keys.
    public func fileKey(privateKey: SecretKey) throws(FormatError) -> SecretKey {
        let recipient = try agreeing { () throws(CryptographyError) in try BackupRecipient(privateKey: privateKey) }
        guard let wrap = wraps.first(where: { $0.keyID == recipient.keyID }) else {
            throw .wrongIdentity("the backup is sealed to \(wraps.map { Hex.encode($0.keyID) }.joined(separator: ", ")), not to this backup key")
        }
        let info = Self.wrapInfo(fixed, recipient)
        let shared: SecretKey
        do throws(CryptographyError) {
            shared = try X25519.sharedSecret(secret: privateKey, peer: ephemeral)
        } catch {
            throw .seal(.wrongKeyOrContext)
        }
        return try sealing { () throws(SealError) in
            try Seal.openKeyMaterial(
                wrap.wrapped, key: HKDFSHA512.derive(from: shared, salt: salt, info: info), context: info)
        }
    }

    private var fixed: [UInt8] {
        Self.fixed(kind, count: wraps.count, createdMilliseconds, generation, service, salt, ephemeral: ephemeral)
    }

    private static func fixed(
        _ kind: BackupKind, count: Int, _ created: UInt64, _ generation: UInt64, _ service: [UInt8], _ salt: [UInt8],
        ephemeral: [UInt8]
    ) -> [UInt8] {
        var bytes = magic
        bytes.append(kind.rawValue)
        bytes.append(version)
        bytes.append(bigEndian: suite)
        bytes.append(bigEndian: UInt32(count))
        bytes.append(bigEndian: created)
        bytes.append(bigEndian: generation)
        return bytes + service + salt + ephemeral
    }

    private static func wrapInfo(_ fixed: [UInt8], _ recipient: BackupRecipient) -> [UInt8] {
        Array("coldvault/backup-key-wrap/v1".utf8) + [0] + fixed + recipient.publicKey
    }
}

/// Runs a verb of key agreement and classes its error: only a public key that nobody can hold makes it fail.
private func agreeing<R>(_ body: () throws(CryptographyError) -> R) throws(FormatError) -> R {
    do throws(CryptographyError) { return try body() } catch { throw .malformed("a backup key: \(error)") }
}
