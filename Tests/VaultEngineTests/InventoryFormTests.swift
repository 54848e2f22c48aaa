// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

@Suite struct InventoryFormTests {
    private let date = Timestamp(milliseconds: 1_714_619_045_999)
    private let hash = SHA256Hasher.hash([])

    private func document(_ format: InventoryParameters.Format, _ descriptions: [String]) -> String {
        var document = InventoryDocument(format: format)
        var out = document.head(vault: TestVault.location("v"), date: date)
        for (index, text) in descriptions.enumerated() {
            document.append(
                InventoryEntry(
                    archiveID: "id\(index)", description: text, created: date, size: UInt64(index), treeHash: hash),
                to: &out)
        }
        return String(decoding: out + document.tail(), as: UTF8.self)
    }

    @Test func jsonHasTheMembersOfTheServiceInItsOrder() {
        #expect(
            document(.json, []) == "{\"VaultARN\":\"arn:aws:glacier:us-east-1:123456789012:vaults/v\","
                + "\"InventoryDate\":\"2024-05-02T03:04:05Z\",\"ArchiveList\":[]}")
        #expect(
            document(.json, ["", "a"]).hasSuffix(
                "\"ArchiveList\":[{\"ArchiveId\":\"id0\",\"ArchiveDescription\":\"\","
                    + "\"CreationDate\":\"2024-05-02T03:04:05Z\",\"Size\":0,"
                    + "\"SHA256TreeHash\":\"\(hash)\"},{\"ArchiveId\":\"id1\",\"ArchiveDescription\":\"a\","
                    + "\"CreationDate\":\"2024-05-02T03:04:05Z\",\"Size\":1,\"SHA256TreeHash\":\"\(hash)\"}]}"))
    }

    @Test func anyDescriptionSurvivesJSON() throws {
        let printable = String(decoding: Array(UInt8(0x20)...0x7E), as: UTF8.self)
        let texts = [printable, "\\", "\"", "\\\"", "</script>", "\u{1}"]
        let parsed = try JSONParser.parse(Array(document(.json, texts).utf8))
        #expect(parsed["ArchiveList"]?.arrayValue?.map { $0["ArchiveDescription"]?.stringValue } == texts)
    }

    @Test(arguments: [
        ("", ""), ("plain text", "plain text"), ("a,b", "\"a,b\""), ("say \"x\"", "\"say \\\"x\\\"\""),
        ("back\\slash", "back\\slash"),
        ("a\\\"b", "\"a\\\\\"b\""), (",", "\",\""), ("\"", "\"\\\"\""), ("\\,", "\"\\,\""),
    ])
    func csvQuotesByTheServicesOwnRule(text: String, field: String) {
        #expect(
            document(.csv, [text]) == "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash\n"
                + "id0,\(field),2024-05-02T03:04:05Z,0,\(hash)\n")
    }

    @Test func markersNameOnePlaceAndNothingElseIsOne() throws {
        let seed: UInt64 = 0x3A7
        var choices = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let position = ArchivePosition(
                created: Timestamp(milliseconds: Int64(bitPattern: choices.next())),
                uid: ArchiveUID(words: UIDWords(high: choices.next(), low: choices.next())))
            let text = InventoryMarker(after: position).text
            #expect(InventoryMarker(text)?.position == position, "seed \(seed)")
            #expect(InventoryMarker(text + "A") == nil)
            #expect(InventoryMarker(String(text.dropLast())) == nil)
            #expect(InventoryMarker("B" + text.dropFirst()) == nil)
        }
        for text in ["", "x", String(repeating: "=", count: 34)] { #expect(InventoryMarker(text) == nil, "\(text)") }
    }

    @Test func theSealedColumnOfAJobKeepsEverything() throws {
        var column = JobColumn()
        #expect(JobColumn(json: column.json) == column)
        column.description = "d"
        column.snsTopic = "arn"
        column.statusMessage = "s"
        column.archiveTreeHash = hash
        column.rangeTreeHash = SHA256Hasher.hash([1])
        column.archiveDescription = "a"
        column.nextMarker = "m"
        column.inventory = InventoryParameters(
            format: .csv, startDate: Timestamp(iso8601: "2013-03-20T17:03:43Z"), startDateText: "2013-03-20T17:03:43Z",
            endDate: Timestamp(iso8601: "2014-03-20T17:03:43Z"), endDateText: "2014-03-20T17:03:43Z", limit: 7,
            marker: "x")
        let reread = try JSONParser.parse(column.json.canonicalBytes())
        #expect(JobColumn(json: reread) == column)
    }
}
