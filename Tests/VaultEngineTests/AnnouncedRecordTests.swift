// SPDX-License-Identifier: Apache-2.0

import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// A deletion or an abort whose record is durable and whose commit never came is no deletion, to any later rebuild either.
@Suite struct AnnouncedRecordTests {
    /// The records of that kind that are in the store.
    private func records(_ fragment: String, of vault: TestVault) -> [String] {
        vault.cold.names.filter { $0.contains(fragment) }
    }

    @Test func aRestartRemovesTheRecordOfADeletionThatWasCutOff() async throws {
        try await withVault { vault in
            let bytes = content(100, seed: 1)
            let stored = try await vault.upload(bytes)
            let row = try await vault.engine.activeVault(vault.location)
            let id = try #require(vault.keyring.identifiers.parse(stored.archiveID, kind: .archive, account: TestVault.account))
            let archive = try #require(try await vault.catalog.archive(ArchiveUID(words: id.uid)))
            // As far as a kill between record and commit comes.
            let record = try await vault.engine.writeDeletionRecord(
                archive, in: row, at: vault.clock.now(), purgeAfter: vault.clock.now())
            #expect(records(".deletion-", of: vault) == [try #require(record).blob.name])
            let restarted = try await vault.anotherEngine()
            try await restarted.prepare()
            #expect(records(".deletion-", of: vault) == [])
            #expect(try await vault.catalog.announcedRecords(limit: 9) == [])
            let fetched = try await vault.running([restarted]) { try await vault.fetch(stored.archiveID, from: restarted) }
            #expect(fetched == bytes)
            // The next deletion counts, and its record stays.
            try await restarted.deleteArchive(vault.location, archiveID: stored.archiveID)
            try await vault.anotherEngine().prepare()
            #expect(records(".deletion-", of: vault).count == 1)
        }
    }

    @Test func aRestartRemovesTheRecordOfAnAbortThatWasCutOff() async throws {
        try await withVault { vault in
            let row = try await vault.engine.activeVault(vault.location)
            _ = try await vault.engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "")
            let open = try #require(try await vault.catalog.uploads(vault: row.uid, after: nil, limit: 1).first)
            var aborted = open
            aborted.state = .aborted
            let before = records("/uploads/", of: vault)
            let record = try await vault.engine.writeAbortRecord(aborted, description: "", in: row)
            #expect(record != nil && records("/uploads/", of: vault).count == before.count + 1)
            try await vault.anotherEngine().prepare()
            #expect(records("/uploads/", of: vault) == before)
        }
    }

    /// Two clients delete the same archive at once: one record is left, and it counts.
    @Test func deletionsThatRaceLeaveOneRecord() async throws {
        try await withVault { vault in
            let stored = try await vault.upload(content(100, seed: 2))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask { try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID) }
                }
                try await group.waitForAll()
            }
            try await vault.running {
                try await vault.until("the clean-up", advancing: .seconds(10)) {
                    records(".deletion-", of: vault).count == 1
                }
            }
            try await vault.anotherEngine().prepare()
            #expect(records(".deletion-", of: vault).count == 1)
        }
    }
}
