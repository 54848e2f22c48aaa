// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// The recovery key as a person writes it down: `CVRK1-` and eight groups of seven Crockford base32 characters, the
/// last 24 bits a checksum. Docs/Formats/Keyring-v1.md §5.
public enum RecoveryKeyText {
    /// Why a text is not a recovery key.
    public enum ParseError: Error, Hashable, Sendable, CustomStringConvertible {
        case missingPrefix
        case invalidCharacter
        case invalidLength(Int)
        case wrongChecksum

        public var description: String {
            switch self {
            case .missingPrefix: "a recovery key starts with CVRK1"
            case .invalidCharacter: "a recovery key has only digits and letters without U"
            case .invalidLength(let count): "a recovery key has 56 characters after CVRK1, this one has \(count)"
            case .wrongChecksum: "the recovery key has a typing error (its checksum differs)"
            }
        }
    }

    private static let form = PrintedKey(prefix: Array("CVRK1".utf8), label: "coldvault/recovery-key/v1")

    /// The text of a key, to be shown once. The text is as secret as the key.
    public static func encode(_ key: SecretKey) -> String { form.encode(key) }

    /// Reads what a person typed: any case, dashes and spaces anywhere, O for 0, I and L for 1.
    public static func parse(_ text: String) throws(ParseError) -> SecretKey {
        do throws(PrintedKey.ParseError) {
            return try form.parse(text)
        } catch {
            switch error {
            case .missingPrefix: throw .missingPrefix
            case .invalidCharacter: throw .invalidCharacter
            case .invalidLength(let count): throw .invalidLength(count)
            case .wrongChecksum: throw .wrongChecksum
            }
        }
    }
}
