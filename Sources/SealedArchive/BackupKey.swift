// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// The public half of a backup key: whom a backup is sealed to. Docs/Formats/Backup-v1.md §2.
public struct BackupRecipient: Hashable, Sendable {
    /// Length of a key id.
    public static let keyIDBytes = 16

    /// 32 bytes.
    public let publicKey: [UInt8]

    /// Nil unless the key has 32 bytes.
    public init?(publicKey: [UInt8]) {
        guard publicKey.count == X25519.publicKeyBytes else { return nil }
        self.publicKey = publicKey
    }

    /// Of the holder of a private key.
    public init(privateKey: SecretKey) throws(CryptographyError) {
        publicKey = try X25519.publicKey(secret: privateKey)
    }

    /// 16 bytes that name the key in headers.
    public var keyID: [UInt8] {
        Array(SHA256Hasher.hash(Array("coldvault/backup-key-id/v1".utf8) + [0] + publicKey).bytes.prefix(Self.keyIDBytes))
    }
}

/// The private half of a backup key as a person keeps it: `CVBK1-` and eight groups of seven characters.
public enum BackupKeyText {
    /// Why a text is not the private half of a backup key.
    public struct ParseError: Error, Hashable, Sendable, CustomStringConvertible {
        public let description: String
    }

    private static let form = PrintedKey(prefix: Array("CVBK1".utf8), label: "coldvault/backup-key/v1")

    /// The text of a private key, to be shown once. The text is as secret as the key.
    public static func encode(_ key: SecretKey) -> String { form.encode(key) }

    /// Reads what a person typed: any case, dashes and spaces anywhere, O for 0, I and L for 1.
    public static func parse(_ text: String) throws(ParseError) -> SecretKey {
        do throws(PrintedKey.ParseError) {
            return try form.parse(text)
        } catch {
            let reason =
                switch error {
                case .missingPrefix: "a backup key starts with CVBK1 (a recovery key, CVRK1, is another thing)"
                case .invalidCharacter: "a backup key has only digits and letters without U"
                case .invalidLength(let count): "a backup key has \(PrintedKey.characterCount) characters after CVBK1, this one has \(count)"
                case .wrongChecksum: "the backup key has a typing error (its checksum differs)"
                }
            throw ParseError(description: reason)
        }
    }
}
