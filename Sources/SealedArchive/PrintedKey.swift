// SPDX-License-Identifier: Apache-2.0

import Cryptography

/// Keys as people write them down: a prefix and eight groups of seven Crockford base32 characters, the last 24 bits a checksum.
/// Docs/Formats/Keyring-v1.md §5.
struct PrintedKey {
    let prefix: [UInt8]
    /// Keeps the checksum of one kind of key from fitting another.
    let label: String

    enum ParseError: Error {
        case missingPrefix
        case invalidCharacter
        case invalidLength(Int)
        case wrongChecksum
    }

    static let characterCount = 56
    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
    private static let checksumBytes = 3
    private static let groupLength = 7

    func encode(_ key: SecretKey) -> String {
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
                    if count % Self.groupLength == 0 { text.append(UInt8(ascii: "-")) }
                    text.append(Self.alphabet[Int(accumulator >> UInt32(bits) & 31)])
                    count += 1
                }
            }
            return String(decoding: text, as: UTF8.self)
        }
    }

    /// Reads what a person typed: any case, dashes and spaces anywhere, O for 0, I and L for 1.
    func parse(_ text: String) throws(ParseError) -> SecretKey {
        let characters = text.utf8.filter {
            $0 != UInt8(ascii: "-") && $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09
        }
        let upper = characters.map { (0x61...0x7A).contains($0) ? $0 - 0x20 : $0 }
        guard upper.starts(with: prefix) else { throw .missingPrefix }
        let digits = upper.dropFirst(prefix.count)
        guard digits.count == Self.characterCount else { throw .invalidLength(digits.count) }
        var payload: [UInt8] = []
        var accumulator: UInt32 = 0
        var bits = 0
        for character in digits {
            guard let value = Self.value(of: character) else { throw .invalidCharacter }
            accumulator = accumulator << 5 | UInt32(value)
            bits += 5
            if bits >= 8 {
                bits -= 8
                payload.append(UInt8(truncatingIfNeeded: accumulator >> UInt32(bits)))
            }
        }
        let key = Array(payload.dropLast(Self.checksumBytes))
        guard constantTimeEqual(key.withUnsafeBytes { checksum($0) }, payload.suffix(Self.checksumBytes)) else {
            throw .wrongChecksum
        }
        do throws(CryptographyError) { return try SecretKey(bytes: key) } catch { throw .invalidLength(digits.count) }
    }

    private func checksum(_ key: UnsafeRawBufferPointer) -> [UInt8] {
        var hasher = SHA256Hasher()
        hasher.update(Array(label.utf8) + [0])
        hasher.update(key)
        return Array(hasher.finalize().bytes.prefix(Self.checksumBytes))
    }

    private static func value(of character: UInt8) -> Int? {
        switch character {
        case UInt8(ascii: "O"): 0
        case UInt8(ascii: "I"), UInt8(ascii: "L"): 1
        default: alphabet.firstIndex(of: character)
        }
    }
}
