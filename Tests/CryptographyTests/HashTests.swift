// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Testing

@Suite struct HashTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func sha256GivesTheStandardsExamples(_ message: String, _ digest: String) {
        #expect(SHA256Hasher.hash(Array(message.utf8)).hex == digest)
    }

    @Test func aResetHasherStartsAfresh() {
        var hasher = SHA256Hasher()
        hasher.update([1, 2, 3])
        let first = hasher.finalizeAndReset()
        hasher.update([1])
        hasher.update([2, 3])
        #expect(hasher.finalize() == first)
    }

    @Test func aDigestIsExactly64LowercaseDigits() throws {
        let digest = SHA256Hasher.hash([UInt8]())
        #expect(SHA256Digest(hex: digest.hex) == digest)
        #expect(SHA256Digest(hex: digest.hex.uppercased()) == nil)
        #expect(SHA256Digest(hex: digest.hex.dropLast()) == nil)
        #expect(SHA256Digest(hex: digest.hex + "0") == nil)
        #expect(SHA256Digest(bytes: digest.bytes) == digest)
        #expect(SHA256Digest(bytes: digest.bytes.dropLast()) == nil)
        #expect("\(digest)" == digest.hex)
    }

    @Test func digestsAreOrderedAsTheirBytes() throws {
        var low = [UInt8](repeating: 0, count: 32)
        var high = low
        low[31] = 255
        high[0] = 1
        #expect(try #require(SHA256Digest(bytes: low)) < #require(SHA256Digest(bytes: high)))
        #expect(try !(#require(SHA256Digest(bytes: low)) < #require(SHA256Digest(bytes: low))))
    }

    // RFC 4231, test cases 1, 2, 3 and 6.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func hmacGivesTheStandardsExamples(_ key: [UInt8], _ data: [UInt8], _ code: String) {
        #expect(HMACSHA256.authenticate(data, key: key).hex == code)
        #expect(HMACSHA256.authenticate(data, key: SecretBytes(bytes: key)).hex == code)
    }

    @Test func hkdfOutputsArePrefixesOfEachOther() {
        let key = SecretKey(random: SeededRandomBytes(seed: 2))
        let long = HKDFSHA512.expand(prk: key, info: [1, 2], count: 200)
        #expect(HKDFSHA512.expand(prk: key, info: [1, 2], count: 64) == Array(long.prefix(64)))
        #expect(HKDFSHA512.expand(prk: key, info: [1, 2], count: 1) == Array(long.prefix(1)))
        #expect(HKDFSHA512.expand(prk: key, info: [1, 3], count: 64) != Array(long.prefix(64)))
    }

    @Test func theLibraryIsTheOneWeNeed() throws {
        #expect(try LibcryptoVersion.check().contains("OpenSSL 3."))
    }
}
