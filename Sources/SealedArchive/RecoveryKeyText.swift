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

    private static let prefix = Array("CVRK1".utf8)
    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
    private static let checksumBytes = 3
    private static let characterCount = 56
    private static let groupLength = 7

    /// The text of a key, to be shown once. The text is as secret as the key.
    public static func encode(_ key: SecretKey) -> String {
        key.withUnsafeBytes { bytes in
            let payload = Array(bytes) + checksum(bytes)
            var text = prefix
            var accumulator: UInt32 = 0
            var bits = 0
            var count = 0
            for byte in payload {
                accumulator = accumulator << 8 | UInt32(byte)
                bits += 8
                while bits >= 5 {
                    bits -= 5
                    if count % groupLength == 0 { text.append(UInt8(ascii: "-")) }
                    text.append(alphabet[Int(accumulator >> UInt32(bits) & 31)])
                    count += 1
                }
            }
            return String(decoding: text, as: UTF8.self)
        }
    }

    /// Reads what a person typed: any case, dashes and spaces anywhere, O for 0, I and L for 1.
    public static func parse(_ text: String) throws(ParseError) -> SecretKey {
        let characters = text.utf8.filter {
            $0 != UInt8(ascii: "-") && $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09
        }
        let upper = characters.map { (0x61...0x7A).contains($0) ? $0 - 0x20 : $0 }
        guard upper.starts(with: prefix) else { throw .missingPrefix }
        let digits = upper.dropFirst(prefix.count)
        guard digits.count == characterCount else { throw .invalidLength(digits.count) }
        var payload: [UInt8] = []
        var accumulator: UInt32 = 0
        var bits = 0
        for character in digits {
            guard let value = value(of: character) else { throw .invalidCharacter }
            accumulator = accumulator << 5 | UInt32(value)
            bits += 5
            if bits >= 8 {
                bits -= 8
                payload.append(UInt8(truncatingIfNeeded: accumulator >> UInt32(bits)))
            }
        }
        let key = Array(payload.dropLast(checksumBytes))
        guard constantTimeEqual(key.withUnsafeBytes { checksum($0) }, payload.suffix(checksumBytes)) else {
            throw .wrongChecksum
        }
        do throws(CryptographyError) { return try SecretKey(bytes: key) } catch { throw .invalidLength(digits.count) }
    }

    private static func checksum(_ key: UnsafeRawBufferPointer) -> [UInt8] {
        var hasher = SHA256Hasher()
        hasher.update(Array("coldvault/recovery-key/v1".utf8) + [0])
        hasher.update(key)
        return Array(hasher.finalize().bytes.prefix(checksumBytes))
    }

    private static func value(of character: UInt8) -> Int? {
        switch character {
        case UInt8(ascii: "O"): 0
        case UInt8(ascii: "I"), UInt8(ascii: "L"): 1
        default: alphabet.firstIndex(of: character)
        }
    }
}
