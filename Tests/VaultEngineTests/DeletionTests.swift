// SPDX-License-Identifier: Apache-2.0

import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Deleting archives and vaults, and what becomes of the bytes.
@Suite(.serialized) struct DeletionTests {
    @Test func deletingIsIdempotentAndCounts() async throws {
        try await withVault { vault in
            let stored = try await vault.upload(content(1000, seed: 1))
            try await vault.upload(content(2000, seed: 1))
            for _ in 0..<2 { try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID) }
            let description = try await vault.engine.describeVault(vault.location)
            #expect(description.archiveCount == 1)
            #expect(description.totalBytes == 2000)
            await expectRefusal(.notFound, "The archive ID was not found") {
                _ = try await vault.retrieve(stored.archiveID)
            }
        }
    }

    @Test func idsOfOtherVaultsAndForgeriesAreToldApart() async throws {
        try await withVault { vault in
            let other = TestVault.location("other")
            try await vault.engine.createVault(other)
            let stored = try await vault.upload([1])
            await expectRefusal(.invalidParameter, "Invalid vault name: \(other.arn)") {
                try await vault.engine.deleteArchive(other, archiveID: stored.archiveID)
            }
            await expectRefusal(.invalidParameter, "Invalid vault name") {
                _ = try await vault.retrieve(stored.archiveID, from: other)
            }
            let swapped = stored.archiveID.first == "A" ? "B" : "A"
            for id in [swapped + stored.archiveID.dropFirst(), "", "x"] {
                await expectRefusal(.notFound, "The archive ID was not found") {
                    try await vault.engine.deleteArchive(vault.location, archiveID: id)
                }
            }
            let stranger = VaultLocation(
                account: try #require(AccountID("999999999999")), region: TestVault.region, name: vault.location.name)
            try await vault.engine.createVault(stranger)
            await expectRefusal(.notFound) {
                try await vault.engine.deleteArchive(stranger, archiveID: stored.archiveID)
            }
            #expect(try await vault.engine.describeVault(vault.location).archiveCount == 1)
        }
    }

    @Test func bytesGoAfterTheGraceAndTheDeletionRecordStays() async throws {
        try await withVault { vault in
            let stored = try await vault.upload(content(3 << 20, seed: 2))
            let kept = try await vault.upload([7])
            try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            #expect(vault.cold.names(containing: "deletion-").count == 1)
            try await vault.running {
                vault.clock.advance(by: .seconds(24 * 3600 - 60))
                try await vault.until("a round of the reclaimer", advancing: .seconds(1)) {
                    vault.clock.now()
                        >= Timestamp(milliseconds: 1_700_000_000_000).advanced(by: .seconds(24 * 3600 - 1))
                }
                #expect(vault.cold.names(containing: "part-").count == 2)
                try await vault.until("the purge", advancing: .seconds(10)) {
                    vault.cold.names(containing: "part-").count == 1
                }
                try await vault.until("the end of its manifest") {
                    vault.cold.names(containing: "manifest-").count == 1
                }
                #expect(vault.cold.names(containing: "deletion-").count == 1)
                #expect(try await vault.download(kept.archiveID) == [7])
                // What was purged long ago is still "deleted", not "unknown".
                try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            }
        }
    }

    @Test func anOutputInPlaceKeepsItsBytesUntilItExpires() async throws {
        let bytes = content(2 << 20, seed: 3)
        try await withVault({
            $0.configuration.deletionGrace = .zero
            $0.configuration.outputRetention = .seconds(3600)
        }) { vault in
            let stored = try await vault.upload(bytes)
            try await vault.running {
                let job = try await vault.retrieve(stored.archiveID)
                #expect(try await vault.ended(job).status == .succeeded)
                try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
                let start = vault.clock.now()
                try await vault.until("most of the retention", advancing: .seconds(10)) {
                    vault.clock.now() > start.advanced(by: .seconds(3500))
                }
                #expect(try await vault.output(job) == bytes)
                try await vault.until("the purge", advancing: .seconds(10)) {
                    vault.cold.names(containing: "part-").isEmpty
                }
                await expectRefusal(.notFound, "The job ID was not found") { _ = try await vault.output(job) }
            }
        }
    }

    @Test func oneBlobThatCannotBeDeletedDoesNotKeepTheOthers() async throws {
        try await withVault({ $0.configuration.deletionGrace = .zero }) { vault in
            let stuck = try await vault.upload(content(100, seed: 4))
            let name = try #require(vault.cold.names(containing: "part-").first)
            vault.cold.onDelete { (id) throws(StorageError) in
                if id.name == name { throw StorageError(.integrity, "this one cannot be deleted") }
            }
            let others = [try await vault.upload(content(200, seed: 4)), try await vault.upload(content(300, seed: 4))]
            for archive in [stuck] + others {
                try await vault.engine.deleteArchive(vault.location, archiveID: archive.archiveID)
            }
            try await vault.running {
                try await vault.until("the purge of the others", advancing: .seconds(10)) {
                    vault.cold.names(containing: "part-") == [name]
                }
                vault.cold.onDelete(nil)
                try await vault.until("the purge of the last", advancing: .seconds(10)) {
                    vault.cold.names(containing: "part-").isEmpty
                }
            }
        }
    }

    @Test func aVaultGoesExactlyWhenItIsEmpty() async throws {
        try await withVault { vault in
            let stored = try await vault.upload([1])
            await expectRefusal(.invalidParameter, "Vault not empty") {
                try await vault.engine.deleteVault(vault.location)
            }
            #expect(try await vault.engine.describeVault(vault.location).archiveCount == 1)
            try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            try await vault.engine.deleteVault(vault.location)
            try await vault.engine.deleteVault(vault.location)
            await expectRefusal(.notFound) { _ = try await vault.engine.describeVault(vault.location) }
            #expect(
                try await vault.engine.listVaults(
                    account: TestVault.account, region: TestVault.region, from: nil, limit: 9
                ).vaults.isEmpty)
        }
    }

    @Test func aVaultCreatedAgainKnowsNothingOfTheOldOne() async throws {
        try await withVault { vault in
            let stored = try await vault.upload([1])
            try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            let upload = try await vault.engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "")
            try await vault.part(upload, at: 0, [1, 2])
            let before = try await vault.catalog.vault(at: vault.location)?.uid
            try await vault.engine.deleteVault(vault.location)
            try await vault.engine.createVault(vault.location)
            try await vault.engine.createVault(vault.location)
            let after = try await vault.catalog.vault(at: vault.location)?.uid
            #expect(before != nil && after != nil && before != after)
            await expectRefusal(.invalidParameter, "Invalid vault name") {
                try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            }
            await expectRefusal(.notFound) { try await vault.part(upload, at: 0, [1]) }
            let fresh = try await vault.upload([2])
            try await vault.running {
                #expect(try await vault.download(fresh.archiveID) == [2])
                // The old vault's archive is purged in its time, although its vault is gone.
                try await vault.until("the purge", advancing: .seconds(1000)) {
                    vault.cold.names(containing: "part-").count == 1
                }
            }
        }
    }

    @Test func aDeletionThatACrashInterruptedIsFinishedAtStart() async throws {
        try await withVault { vault in
            let uid = try #require(try await vault.catalog.vault(at: vault.location)?.uid)
            _ = try await vault.catalog.beginVaultDeletion(uid)
            await expectRefusal(.notFound) { try await vault.upload([1]) }
            try await vault.running {
                try await vault.until("the end of the vault") {
                    try await vault.catalog.vault(at: vault.location) == nil
                }
            }
            try await vault.engine.createVault(vault.location)
            try await vault.upload([1])
        }
    }

    @Test func vaultsAreCreatedOnceAndListedInOrder() async throws {
        try await withVault { vault in
            let names = ["b", "a", "C", "_", "0"]
            await withTaskGroup(of: Void.self) { group in
                for name in names + names {
                    group.addTask { try? await vault.engine.createVault(TestVault.location(name)) }
                }
            }
            var listed: [String] = []
            var from: VaultName?
            repeat {
                let page = try await vault.engine.listVaults(
                    account: TestVault.account, region: TestVault.region, from: from, limit: 2)
                listed += page.vaults.map(\.location.name.text)
                from = page.next
            } while from != nil
            #expect(listed == ["0", "C", "_", "a", "b", "v"])
            #expect(try await vault.engine.totals().vaults == 6)
        }
    }

    @Test func theThousandAndFirstVaultIsRefused() async throws {
        try await withVault { vault in
            for number in 1..<Limits.maxVaultsPerAccountAndRegion {
                try await vault.engine.createVault(TestVault.location("v\(number)"))
            }
            await expectRefusal(.limitExceeded, "1000 vaults") {
                try await vault.engine.createVault(TestVault.location("one-more"))
            }
            try await vault.engine.createVault(TestVault.location("v1"))
        }
    }
}
