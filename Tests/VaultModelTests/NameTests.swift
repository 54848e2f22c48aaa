// SPDX-License-Identifier: Apache-2.0

import Testing
import VaultModel

@Suite struct NameTests {
    @Test func vaultNamesHaveTheirAlphabetAndLimits() {
        let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.".unicodeScalars)
        for value in UInt32(0)...255 {
            let scalar = Unicode.Scalar(value)!
            #expect((VaultName("a" + String(Character(scalar))) != nil) == alphabet.contains(scalar), "\(value)")
        }
        #expect(VaultName("") == nil)
        #expect(VaultName(".") == nil)
        #expect(VaultName("..") == nil)
        #expect(VaultName("...")?.text == "...")
        #expect(VaultName(".a") != nil)
        #expect(VaultName(String(repeating: "a", count: 255)) != nil)
        #expect(VaultName(String(repeating: "a", count: 256)) == nil)
        #expect(VaultName("e\u{301}") == nil)
    }

    @Test func vaultNamesAreOrderedAsASCII() {
        let names = ["Z", "a", "-", ".a", "0", "_", "aa", "A"].compactMap { VaultName($0) }
        #expect(names.sorted().map(\.text) == ["-", ".a", "0", "A", "Z", "_", "a", "aa"])
    }

    @Test func accountsAreTwelveDigits() {
        #expect(AccountID("012345678901")?.digits == "012345678901")
        for text in ["", "-", "01234567890", "0123456789012", "0123-4567-8901", "01234567890a", "٠١٢٣٤٥٦٧٨٩٠١"] {
            #expect(AccountID(text) == nil, "\(text)")
        }
    }

    @Test func regionsAreShortCodes() {
        #expect(Region("us-east-1")?.code == "us-east-1")
        #expect(Region(String(repeating: "a", count: 32)) != nil)
        for text in ["", "US-EAST-1", "us_east", "us/east", "us.east", String(repeating: "a", count: 33)] {
            #expect(Region(text) == nil, "\(text)")
        }
    }

    @Test func theARNOfAVaultNamesAllThatIdentifiesIt() throws {
        let location = VaultLocation(
            account: try #require(AccountID("012345678901")), region: try #require(Region("eu-west-1")),
            name: try #require(VaultName("a.b")))
        #expect(location.arn == "arn:aws:glacier:eu-west-1:012345678901:vaults/a.b")
    }

    @Test func uidsAreSixteenBytesInEveryForm() throws {
        let bytes = Array(UInt8(0xF0)...0xFF)
        let uid = try #require(ArchiveUID(bytes: bytes))
        #expect(uid.bytes == bytes)
        #expect(uid.hex == "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
        #expect(ArchiveUID(hex: uid.hex) == uid)
        #expect(ArchiveUID(random: FixedBytes(bytes)) == uid)
        #expect(ArchiveUID(bytes: bytes.dropLast()) == nil)
        #expect(ArchiveUID(bytes: bytes + [0]) == nil)
        for text in ["", String(uid.hex.dropLast()), uid.hex + "0", uid.hex.uppercased(), "g" + uid.hex.dropFirst()] {
            #expect(ArchiveUID(hex: text) == nil, "\(text)")
        }
        #expect(VaultUID.none.bytes == [UInt8](repeating: 0, count: 16))
    }

    @Test func uidsAreOrderedAsTheirBytes() {
        let seed: UInt64 = 0x1D5
        var choices = Choices(seed: seed)
        let uids = (0..<500).map { _ in JobUID(words: UIDWords(high: choices.next() & 3, low: choices.next())) }
        #expect(uids.sorted().map(\.hex) == uids.map(\.hex).sorted(), "seed \(seed)")
    }

    @Test func tiersKeepTheirDelaysApart() {
        let delays = RetrievalDelays(expedited: .seconds(1), standard: .seconds(2), bulk: .seconds(3))
        #expect(RetrievalTier.allCases.map { delays[$0] } == [.seconds(1), .seconds(2), .seconds(3)])
        #expect(RetrievalTier.allCases.map(\.deadline) == [.seconds(300), .seconds(18_000), .seconds(43_200)])
        #expect(RetrievalDelays()[.bulk] == .zero)
    }
}
