// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Inventory jobs over a real vault.
@Suite(.serialized) struct InventoryTests {
    private struct Listed: Hashable {
        let id: String
        let description: String
        let size: Int64
        let treeHash: String
    }

    private func inventory(
        _ vault: TestVault, _ parameters: InventoryParameters
    ) async throws -> (job: JobDescription, bytes: [UInt8]) {
        let id = try await vault.engine.initiateJob(
            vault.location, JobRequest(action: .inventory(parameters), tier: nil, description: nil, snsTopic: nil))
        let ended = try await vault.ended(id)
        #expect(ended.status == .succeeded, "\(ended.statusMessage ?? "")")
        let bytes = try await vault.output(id)
        #expect(ended.inventoryBytes == UInt64(bytes.count))
        return (ended, bytes)
    }

    private func listed(_ bytes: [UInt8]) throws -> [Listed] {
        let document = try JSONParser.parse(bytes, limits: JSONLimits(maxBytes: 64 << 20))
        return try #require(document["ArchiveList"]?.arrayValue).map {
            Listed(
                id: try #require($0["ArchiveId"]?.stringValue),
                description: try #require($0["ArchiveDescription"]?.stringValue),
                size: try #require($0["Size"]?.integerValue), treeHash: try #require($0["SHA256TreeHash"]?.stringValue))
        }
    }

    @Test func anEmptyVaultHasAnEmptyInventory() async throws {
        try await withVault { vault in
            try await vault.running {
                let (job, json) = try await inventory(vault, InventoryParameters())
                #expect(String(decoding: json, as: UTF8.self).hasSuffix("\"ArchiveList\":[]}"))
                #expect(job.inventory?.marker == nil)
                let (_, csv) = try await inventory(vault, InventoryParameters(format: .csv))
                #expect(
                    String(decoding: csv, as: UTF8.self)
                        == "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash\n")
            }
        }
    }

    @Test func bothFormsListWhatIsThereAndNothingElse() async throws {
        try await withVault { vault in
            var expected: Set<Listed> = []
            for (size, text) in [(1, ""), (10, "a, b"), (1 << 20, "say \"x\""), (2_000_000, "tail\\")] {
                let bytes = content(size, seed: 1)
                let stored = try await vault.upload(bytes, description: text)
                expected.insert(
                    Listed(id: stored.archiveID, description: text, size: Int64(size), treeHash: stored.treeHash.hex))
            }
            let gone = try await vault.upload([9], description: "deleted")
            try await vault.engine.deleteArchive(vault.location, archiveID: gone.archiveID)
            try await vault.engine.createVault(TestVault.location("other"))
            try await vault.upload([8], to: TestVault.location("other"))
            try await vault.running {
                let (_, json) = try await inventory(vault, InventoryParameters())
                #expect(Set(try listed(json)) == expected)
                let (_, csv) = try await inventory(vault, InventoryParameters(format: .csv))
                let lines = String(decoding: csv, as: UTF8.self).split(separator: "\n")
                #expect(lines.count == 5)
                for entry in expected {
                    #expect(
                        lines.contains {
                            $0.hasPrefix(entry.id + ",") && $0.hasSuffix(",\(entry.size),\(entry.treeHash)")
                        })
                }
            }
        }
    }

    @Test func anInventoryIsAsOfItsMomentAndIsServedInRanges() async throws {
        try await withVault { vault in
            try await vault.upload([1])
            try await vault.running {
                let id = try await vault.engine.initiateJob(
                    vault.location,
                    JobRequest(
                        action: .inventory(InventoryParameters()), tier: nil, description: "weekly", snsTopic: nil))
                let ended = try await vault.ended(id)
                #expect(ended.description == "weekly" && ended.tier == nil && ended.archive == nil)
                try await vault.upload([2])
                let whole = try await vault.output(id)
                #expect(try listed(whole).count == 1)
                let output = try await vault.engine.openOutput(vault.location, jobID: id, range: .suffix(10))
                #expect(output.isPartial && output.treeHash == nil && output.contentType == "application/json")
                #expect(output.totalBytes == UInt64(whole.count))
                let tail = try await TestVault.bytes(of: output)
                #expect(tail == Array(whole.suffix(10)))
            }
        }
    }

    @Test func datesFilterFromInclusiveToExclusive() async throws {
        try await withVault { vault in
            var stored: [(Timestamp, String)] = []
            for _ in 0..<5 {
                stored.append((vault.clock.now(), try await vault.upload([1]).archiveID))
                vault.clock.advance(by: .seconds(60))
            }
            try await vault.running {
                for from in [nil] + (0..<5).map({ $0 as Int? }) {
                    for until in [nil] + (0..<5).map({ $0 as Int? }) {
                        var parameters = InventoryParameters()
                        parameters.startDate = from.map { stored[$0].0 }
                        parameters.startDateText = parameters.startDate?.iso8601Milliseconds
                        parameters.endDate = until.map { stored[$0].0 }
                        parameters.endDateText = parameters.endDate?.iso8601Milliseconds
                        let (_, bytes) = try await inventory(vault, parameters)
                        let expected = stored.filter {
                            parameters.startDate ?? $0.0 <= $0.0
                                && $0.0 < parameters.endDate ?? $0.0.advanced(by: .seconds(1))
                        }
                        #expect(
                            Set(try listed(bytes).map(\.id)) == Set(expected.map(\.1)), "\(from ?? -1)..<\(until ?? -1)"
                        )
                    }
                }
            }
        }
    }

    /// Archives written straight into the catalog: an inventory reads nothing else.
    private func fill(_ vault: TestVault, _ count: Int) async throws -> Set<String> {
        let row = try #require(try await vault.catalog.vault(at: vault.location))
        let hash = SHA256Hasher.hash([1])
        return try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<count {
                let uid = ArchiveUID(random: vault.random)
                let id = vault.keyring.identifiers.mint(
                    .archive, uid: uid.words, vault: row.uid, account: TestVault.account, random: vault.random)
                let archive = ArchiveRow(
                    uid: uid, id: id.text, vault: row.uid, state: .stored,
                    // Many share a moment, so that pages end inside one.
                    created: vault.clock.now().advanced(by: .milliseconds(Int64(number / 700))),
                    size: UInt64(number + 1), partCount: 1,
                    generation: 1, keyVersion: 1,
                    sealed: try vault.keyring.seal(
                        ArchiveColumn(description: "number \(number)", treeHash: hash), uid: uid.bytes, of: row,
                        random: vault.random))
                group.addTask {
                    let outcome = try await vault.catalog.commitArchive(archive, from: nil)
                    #expect(outcome == .stored)
                    return archive.id
                }
            }
            return try await group.reduce(into: []) { $0.insert($1) }
        }
    }

    @Test func pagesCoverTwoThousandFiveHundredArchivesOnceEach() async throws {
        try await withVault { vault in
            let all = try await fill(vault, 2500)
            try await vault.running {
                let (_, whole) = try await inventory(vault, InventoryParameters())
                let inOrder = try listed(whole)
                #expect(Set(inOrder.map(\.id)) == all && inOrder.count == 2500)
                for limit in [499, 500, 501, 1000, 2499, 2500, 2501] as [UInt64] {
                    var seen: [String] = []
                    var parameters = InventoryParameters(format: .json, limit: limit)
                    var pages = 0
                    repeat {
                        let (job, bytes) = try await inventory(vault, parameters)
                        let page = try listed(bytes).map(\.id)
                        #expect(!page.isEmpty && page.count <= Int(limit))
                        seen += page
                        parameters.marker = job.inventory?.marker
                        pages += 1
                    } while parameters.marker != nil && pages < 10
                    let isSame = seen == inOrder.map(\.id)
                    #expect(isSame, "limit \(limit)")
                    #expect(pages == (2500 + Int(limit) - 1) / Int(limit), "limit \(limit)")
                }
            }
        }
    }

    @Test func aMarkerOfNobodyIsRefused() async throws {
        try await withVault { vault in
            await expectRefusal(.invalidParameter, "Invalid marker") {
                _ = try await vault.engine.initiateJob(
                    vault.location,
                    JobRequest(
                        action: .inventory(InventoryParameters(marker: "x")), tier: nil, description: nil, snsTopic: nil
                    ))
            }
        }
    }
}
