// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Testing

@Suite struct SecretAndTextTests {
    @Test func aKeyHasExactly32Bytes() throws {
        #expect(throws: CryptographyError.invalidKeyLength(expected: 32, actual: 31)) {
            try SecretKey(bytes: [UInt8](repeating: 1, count: 31))
        }
        #expect(throws: CryptographyError.invalidKeyLength(expected: 32, actual: 33)) {
            try SecretKey(bytes: [UInt8](repeating: 1, count: 33))
        }
        let bytes = SeededRandomBytes(seed: 1).bytes(32)
        #expect(try SecretKey(bytes: bytes).bytesForTests == bytes)
    }

    @Test func keysCompareByTheirBytes() throws {
        let one = try SecretKey(bytes: [UInt8](repeating: 1, count: 32))
        let same = try SecretKey(bytes: [UInt8](repeating: 1, count: 32))
        let other = try SecretKey(bytes: [UInt8](repeating: 1, count: 31) + [2])
        #expect(one.isEqual(to: same))
        #expect(!one.isEqual(to: other))
    }

    @Test func secretsDoNotPrint() throws {
        let key = try SecretKey(bytes: Array("0123456789abcdef0123456789abcdef".utf8))
        let secret = SecretBytes(bytes: Array("hunter2".utf8))
        var dumped = ""
        dump(key, to: &dumped)
        dump(secret, to: &dumped)
        for text in ["\(key)", String(reflecting: key), "\(secret)", String(reflecting: secret), dumped] {
            #expect(!text.contains("hunter") && !text.contains("0123") && !text.contains("48, 49"))
        }
        #expect(secret.count == 7)
    }

    @Test func constantTimeEqualityIsEquality() {
        #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2, 4]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2]))
        #expect(constantTimeEqual([UInt8](), [UInt8]()))
        #expect(constantTimeEqual([1, 2, 3].dropFirst(), [2, 3]))
        #expect(constantTimeEqual([1, 2].lazy.map { UInt8($0) }, [1, 2]))
        #expect(!constantTimeEqual([1, 2].lazy.map { UInt8($0) }, [1, 3]))
    }

    @Test func hexIsLowercaseAndStrict() {
        #expect(Hex.encode([0, 15, 255]) == "000fff")
        #expect(Hex.decode("000fff") == [0, 15, 255])
        for wrong in ["0", "0F", "0g", " 00", "é"] { #expect(Hex.decode(wrong) == nil) }
        #expect(Hex.decode("") == [])
    }

    @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
    func base64GivesTheStandardsExamples(_ text: String, _ encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(text.utf8))
    }

    @Test func base64RefusesOtherSpellings() {
        for wrong in ["Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z", "====", "Zg==\n", "Z-==", "=Zg="] {
            #expect(Base64.decode(wrong) == nil, "\(wrong)")
        }
        for wrong in ["Zg==", "Zh", "Z", "Zm8+"] { #expect(Base64.decode(wrong, .url) == nil, "\(wrong)") }
        #expect(Base64.decode("_-8", .url) == [0xFF, 0xEF])
        #expect(Base64.encode([0xFF, 0xEF], .url) == "_-8")
        for count in 0..<70 {
            let bytes = SeededRandomBytes(seed: UInt64(count)).bytes(count)
            #expect(Base64.decode(Base64.encode(bytes, .url), .url) == bytes)
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }
}
