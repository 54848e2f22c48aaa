// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Execution
import FileBlobStore
import Logging
import PosixDisk
import SQLiteCatalog
import SealedArchive
import Storage
import Testing
import VaultModel

@testable import VaultEngine

/// An older catalog, put back, gets from the durable records what it does not know.
@Suite(.serialized) struct LockRestorationTests {
    private static let policy = PolicyText.retention(days: 365)

    /// Runs `change` after a copy of the catalog was made, then `check` with an engine over that copy that has started.
    private func afterRestore(
        _ vault: TestVault, change: () async throws -> Void, check: (VaultEngine, LoggedLines) async throws -> Void
    ) async throws {
        let path = vault.directory + "/older.sqlite"
        try await vault.catalog.backup(to: path)
        try await change()
        let older = try await SQLiteCatalog.open(path: path)
        let lines = LoggedLines()
        let engine = vault.engine(over: older, logger: lines.logger)
        do {
            try await engine.prepare()
            try await check(engine, lines)
            await older.close()
        } catch {
            await older.close()
            throw error
        }
    }

    @Test(arguments: [false, true]) func aLockThatIsNewerThanTheCatalogComesBack(complete: Bool) async throws {
        try await withVault { vault in
            let stored = try await vault.upload([1])
            var id = ""
            try await afterRestore(vault) {
                id = try await vault.engine.initiateVaultLock(vault.location, policy: Self.policy)
                if complete { try await vault.engine.completeVaultLock(vault.location, lockID: id) }
            } check: { engine, lines in
                let lock = try await engine.vaultLock(vault.location)
                #expect(lock.id == id && lock.state == (complete ? .locked : .inProgress) && lock.policy == Self.policy)
                await expectRefusal(.accessDenied) {
                    try await engine.deleteArchive(vault.location, archiveID: stored.archiveID)
                }
                let line = try #require(lines.named("a vault's record is newer than the catalog and was adopted").first)
                #expect(line.level == .warning && line.metadata["lock"] == "restored")
            }
        }
    }

    @Test func everyAcknowledgedSettingComesBackAndKeysAreKept() async throws {
        try await withVault { vault in
            try await vault.engine.addTags(vault.location, ["old": "1"])
            try await afterRestore(vault) {
                try await vault.engine.addTags(vault.location, ["new": "2"])
                try await vault.engine.setVaultAccessPolicy(
                    vault.location, PolicyText.of(PolicyText.vault("Allow", "ListJobs")))
                try await vault.engine.setVaultCompression(vault.location, "none")
                _ = try await vault.engine.rotateVaultKey(vault.location)
            } check: { engine, _ in
                #expect(try await engine.tags(vault.location) == ["old": "1", "new": "2"])
                #expect(try await engine.vaultAccessPolicy(vault.location).contains("ListJobs"))
                let row = try await engine.activeVault(vault.location)
                #expect(row.compression == "none" && row.keys.map(\.version) == [1, 2])
                for version in [UInt32(1), 2] { _ = try vault.keyring.key(of: row, version: version) }
                // Its next record stands above all others.
                #expect(vault.cold.names(containing: "records/vault-").last?.hasSuffix("\(row.generation)") == true)
            }
        }
    }

    @Test func anAbortedLockStaysAborted() async throws {
        try await withVault { vault in
            _ = try await vault.engine.initiateVaultLock(vault.location, policy: Self.policy)
            try await afterRestore(vault) {
                try await vault.engine.abortVaultLock(vault.location)
            } check: { engine, _ in
                await expectRefusal(.notFound) { _ = try await engine.vaultLock(vault.location) }
            }
        }
    }

    @Test func aRecordThatDoesNotVerifyIsPassedOver() async throws {
        try await withVault { vault in
            try await afterRestore(vault) {
                try await vault.engine.addTags(vault.location, ["good": "1"])
                let good = try #require(vault.cold.names(containing: "records/vault-").last)
                try await vault.engine.addTags(vault.location, ["damaged": "2"])
                let newest = try #require(vault.cold.names(containing: "records/vault-").last)
                #expect(newest != good)
                vault.cold.rot(containing: newest)
            } check: { engine, lines in
                let tags = try await engine.tags(vault.location)
                #expect(tags == ["good": "1"])
                #expect(lines.all.contains { $0.level == .error && $0.message.contains("does not verify") })
            }
        }
    }

    @Test func aCompletedLockOfTheRowIsKeptWhateverARecordSays() throws {
        let created = Timestamp(milliseconds: 5)
        let locked = VaultLock(id: "a", policy: "p", state: .locked, created: created)
        let other = VaultLock(id: "b", policy: "q", state: .inProgress, created: created)
        for recordedLock in [nil, other, locked] {
            let record = StateRecord(
                type: .vault, generation: 9, createdMilliseconds: 0, account: "123456789012",
                vaultUID: VaultUID.none.bytes,
                body: VaultSettings(lock: recordedLock).members.merging([
                    "state": "active", "keys": [], "compression": nil,
                ]) { old, _ in old })
            let recorded = try #require(RecordedVault(record))
            for own in [nil, other, locked] {
                var row = VaultRow(
                    uid: .none, location: TestVault.location("v"), state: .active, created: created, generation: 1,
                    compression: nil, keys: [], settings: nil)
                var settings = VaultSettings(lock: own)
                recorded.adopt(into: &row, &settings)
                #expect(settings.lock == (own == locked ? locked : recordedLock))
            }
        }
    }

    /// A vault deleted after the copy was made is left alone; one that was never recorded newer costs one listing.
    @Test func aVaultThatWasDeletedLaterIsLeftAsItIs() async throws {
        try await withVault { vault in
            try await afterRestore(vault) {
                try await vault.engine.deleteVault(vault.location)
            } check: { engine, lines in
                let description = try await engine.describeVault(vault.location)
                #expect(description.archiveCount == 0)
                #expect(lines.all.contains { $0.level == .warning && $0.message.contains("was deleted later") })
            }
        }
    }

    @Test func aChangeThatACrashCutOffIsTakenUpAtTheNextStart() async throws {
        try await withVault { vault in
            // The record is durable, the catalog never heard of it.
            let row = try #require(try await vault.catalog.vault(at: vault.location))
            _ = try await vault.engine.writeVaultRecord(
                row, VaultSettings(tags: ["cut": "off"]), from: row.generation + 1)
            let next = try await vault.anotherEngine()
            try await vault.running([next]) {
                try await vault.until("the start") { try await !next.tags(vault.location).isEmpty }
                #expect(try await next.tags(vault.location) == ["cut": "off"])
            }
        }
    }

    /// Over real files, since a listing is what it costs.
    @Test(.timeLimit(.minutes(5))) func aThousandVaultsAreLookedThroughAtStart() async throws {
        try await withVault { vault in
            let pool = BlockingPool(name: "disk", threads: 4)
            let cold = FileBlobStore(disk: PosixDisk(pool: pool), root: "\(vault.directory)/blobs", reserveBytes: 0)
            let catalog = AccessCountingCatalog(vault.catalog)
            let engine = VaultEngine(
                configuration: vault.setup, catalog: catalog, cold: cold, warm: vault.warm, keyring: vault.keyring,
                compute: TestVault.compute, clock: vault.clock, random: vault.random, logger: vault.engine.logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<9 {
                    group.addTask {
                        for number in stride(from: lane, to: 999, by: 9) {
                            try await engine.createVault(TestVault.location("v\(number)"))
                        }
                    }
                }
                try await group.waitForAll()
            }
            var calls: [String] = []
            let spent = try await ContinuousClock().measure {
                calls = try await catalog.calls { try await engine.adoptNewerRecords() }
            }
            print("adoptNewerRecords over 1,000 vaults in files: \(spent)")
            #expect(calls == Array(repeating: "vaults", count: 6), "nothing newer, nothing asked and nothing written")
            await pool.shutdown()
        }
    }
}
