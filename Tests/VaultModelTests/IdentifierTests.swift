// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Testing
import VaultModel

/// Docs/Formats/Identifier-v1.md, against Tests/Vectors/keys.json and by attack.
@Suite struct IdentifierTests {
    private let file: JSONValue
    private let codec: IdentifierCodec

    init() throws {
        file = try Vectors.load("keys.json")
        codec = IdentifierCodec(key: try SecretKey(bytes: file.hex("identifierKey")))
    }

    @Test func theVectorsAreMintedAndParsed() throws {
        #expect(!file.list("identifiers").isEmpty)
        for vector in file.list("identifiers") {
            let kind = try #require(Identifier.Kind(rawValue: UInt8(vector.int("kind"))))
            let account = try #require(AccountID(vector.text("account")))
            let uid = try #require(ArchiveUID(bytes: vector.hex("uid"))).words
            let vault = try #require(VaultUID(bytes: vector.hex("vault")))
            let minted = codec.mint(
                kind, uid: uid, vault: vault, account: account, random: FixedBytes(vector.hex("random")))
            #expect(minted.text == vector.text("text"))
            #expect(minted.text.count == kind.characterCount)
            #expect(codec.parse(vector.text("text"), kind: kind, account: account) == minted)
        }
    }

    @Test func theBadVectorsAreRefused() throws {
        #expect(file.list("badIdentifiers").count >= 9)
        for vector in file.list("badIdentifiers") {
            let kind = try #require(Identifier.Kind(rawValue: UInt8(vector.int("kind"))))
            let account = try #require(AccountID(vector.text("account")))
            #expect(codec.parse(vector.text("text"), kind: kind, account: account) == nil, "\(vector.text("name"))")
        }
    }

    @Test(arguments: [Identifier.Kind.archive, .upload, .job])
    func everyChangedCharacterAndEveryOtherKeyKindOrAccountIsRefused(kind: Identifier.Kind) throws {
        let seed: UInt64 = 0x1DE
        var choices = Choices(seed: seed)
        let account = try #require(AccountID("123456789012"))
        let other = try #require(AccountID("123456789013"))
        let random = FixedBytes((0..<200).map { _ in UInt8(truncatingIfNeeded: choices.next()) })
        let uid = UIDWords(high: choices.next(), low: choices.next())
        let vault = VaultUID(words: UIDWords(high: choices.next(), low: choices.next()))
        let minted = codec.mint(kind, uid: uid, vault: vault, account: account, random: random)
        #expect(codec.parse(minted.text, kind: kind, account: account)?.uid == uid)
        #expect(codec.parse(minted.text, kind: kind, account: account)?.vault == vault)
        #expect(codec.parse(minted.text, kind: kind, account: other) == nil)
        for wrong in [Identifier.Kind.archive, .upload, .job] where wrong != kind {
            #expect(codec.parse(minted.text, kind: wrong, account: account) == nil)
        }
        let stranger = IdentifierCodec(key: SecretKey(random: FixedBytes([UInt8](repeating: 7, count: 32))))
        #expect(stranger.parse(minted.text, kind: kind, account: account) == nil)
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        for position in minted.text.indices {
            let replacement = try #require(
                alphabet.filter { $0 != minted.text[position] }.randomElement(using: &choices))
            var forged = minted.text
            forged.replaceSubrange(position...position, with: [replacement])
            #expect(codec.parse(forged, kind: kind, account: account) == nil, "seed \(seed): \(forged)")
        }
        #expect(codec.parse(String(minted.text.dropLast()), kind: kind, account: account) == nil)
        #expect(codec.parse(minted.text + "A", kind: kind, account: account) == nil)
    }

    @Test func base64URLRoundTripsAndRejectsWhatIsNotCanonical() {
        let seed: UInt64 = 0xB64
        var choices = Choices(seed: seed)
        for count in 0..<100 {
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: choices.next()) }
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes, "seed \(seed)")
        }
        for text in ["A", "AB", "AAB", "AA==", "A+AA", "A/AA", "AA A", "AAA\u{0}", "ÄAA"] {
            #expect(Base64URL.decode(text) == nil, "\(text)")
        }
        #expect(Base64URL.decode("AA") == [0])
        #expect(Base64URL.decode("AAA") == [0, 0])
        #expect(Base64URL.decode("-_8") == [0xFB, 0xFF])
    }
}
