// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
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

    @Test func aCompletedLockComesBackEvenFromTheRecordOfADeletedVault() async throws {
        try await withVault { vault in
            try await afterRestore(vault) {
                let id = try await vault.engine.initiateVaultLock(vault.location, policy: Self.policy)
                try await vault.engine.completeVaultLock(vault.location, lockID: id)
                try await vault.engine.deleteVault(vault.location)
            } check: { engine, lines in
                let lock = try await engine.vaultLock(vault.location)
                #expect(lock.state == .locked)
                #expect(lines.all.contains { $0.message.contains("was deleted later") && $0.metadata["lock"] == "restored" })
            }
        }
    }

    /// Without a start in between: the change finds the name of its record taken.
    @Test func aChangeIsMadeOnTopOfANewerRecordNeverInsteadOfIt() async throws {
        try await withVault { vault in
            let path = vault.directory + "/older.sqlite"
            try await vault.catalog.backup(to: path)
            let id = try await vault.engine.initiateVaultLock(vault.location, policy: Self.policy)
            try await vault.engine.completeVaultLock(vault.location, lockID: id)
            let older = try await SQLiteCatalog.open(path: path)
            let engine = vault.engine(over: older)
            try await engine.addTags(vault.location, ["new": "1"])
            #expect(try await engine.vaultLock(vault.location).state == .locked)
            #expect(try await engine.tags(vault.location) == ["new": "1"])
            await older.close()
        }
    }

    /// A copy of the catalog in which an upload is open that has become a locked archive since.
    private func withReopenedUpload(
        _ body: (TestVault, VaultEngine, _ upload: String, StoredArchive) async throws -> Void
    ) async throws {
        try await withVault { vault in
            let bytes = content(1 << 20, seed: 3)
            let upload = try await vault.engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "d")
            try await vault.part(upload, at: 0, bytes)
            let path = vault.directory + "/older.sqlite"
            try await vault.catalog.backup(to: path)
            let stored = try await vault.engine.completeUpload(
                vault.location, uploadID: upload, size: UInt64(bytes.count), treeHash: naiveTreeHash(bytes))
            let id = try await vault.engine.initiateVaultLock(vault.location, policy: Self.policy)
            try await vault.engine.completeVaultLock(vault.location, lockID: id)
            let older = try await SQLiteCatalog.open(path: path)
            let engine = vault.engine(over: older)
            do {
                try await engine.prepare()
                let blobs = vault.cold.names(containing: ".part-") + vault.cold.names(containing: ".manifest-")
                try await body(vault, engine, upload, stored)
                #expect(blobs.allSatisfy(vault.cold.names.contains))
                let later = vault.clock.now().advanced(by: .seconds(1_000_000))
                let doomed = try await older.doomedBlobs(at: later, limit: 100).map(\.id)
                #expect(doomed.allSatisfy { !blobs.contains($0) })
                await older.close()
            } catch {
                await older.close()
                throw error
            }
        }
    }

    @Test func anUploadThatWasCompletedSinceCannotBeAbortedNorChanged() async throws {
        try await withReopenedUpload { vault, engine, upload, _ in
            await expectRefusal(.notFound) { try await engine.abortUpload(vault.location, uploadID: upload) }
            let other = [UInt8](repeating: 7, count: 1 << 20)
            await expectRefusal(.notFound) {
                _ = try await engine.uploadPart(
                    UploadPartRequest(
                        location: vault.location, uploadID: upload,
                        range: try #require(ByteRange(first: 0, last: UInt64(other.count - 1))),
                        treeHash: naiveTreeHash(other), linearHash: SHA256Hasher.hash(other)),
                    body: Body(other))
            }
        }
    }

    @Test func itCanBeCompletedAgainAsTheVeryArchive() async throws {
        try await withReopenedUpload { vault, engine, upload, stored in
            // A later manifest has a later name.
            vault.clock.advance(by: .seconds(1))
            let again = try await engine.completeUpload(
                vault.location, uploadID: upload, size: 1 << 20, treeHash: stored.treeHash)
            #expect(again.archiveID == stored.archiveID && again.treeHash == stored.treeHash)
        }
    }

    @Test func aLockedVaultIsNotDeletedWhileTheStoreHoldsItsArchives() async throws {
        try await withVault { vault in
            try await afterRestore(vault) {
                _ = try await vault.upload([1])
                let id = try await vault.engine.initiateVaultLock(vault.location, policy: Self.policy)
                try await vault.engine.completeVaultLock(vault.location, lockID: id)
            } check: { engine, _ in
                let description = try await engine.describeVault(vault.location)
                #expect(description.archiveCount == 0)
                await expectRefusal(.invalidParameter, "not empty") { try await engine.deleteVault(vault.location) }
                let lock = try await engine.vaultLock(vault.location)
                #expect(lock.state == .locked)
            }
        }
    }

    @Test func aPolicyThatDiffersOnlyInItsNormalisationIsStored() async throws {
        try await withVault { vault in
            let (composed, decomposed) = ("\u{E9}", "e\u{301}")
            try await vault.engine.addTags(vault.location, ["k": decomposed])
            try await vault.engine.addTags(vault.location, ["k": composed])
            let value = try #require(try await vault.engine.tags(vault.location)["k"])
            #expect(Array(value.utf8) == Array(composed.utf8))
        }
    }

    /// Nothing can be said about a vault whose records cannot be read: it is served, but not changed, until they can.
    @Test func aVaultThatCouldNotBeComparedIsComparedBeforeItIsChanged() async throws {
        try await withVault { vault in
            let stored = try await vault.upload([1])
            let path = vault.directory + "/older.sqlite"
            try await vault.catalog.backup(to: path)
            let id = try await vault.engine.initiateVaultLock(vault.location, policy: Self.policy)
            try await vault.engine.completeVaultLock(vault.location, lockID: id)
            let older = try await SQLiteCatalog.open(path: path)
            let lines = LoggedLines()
            let engine = vault.engine(over: older, logger: lines.logger)
            vault.cold.onRead { (_) async throws(StorageError) in throw StorageError(.transient, "simulated") }
            try await engine.prepare()
            #expect(lines.all.contains { $0.level == .error && $0.message.contains("could not be compared") })
            await expectRefusal(.unavailable) {
                try await engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            }
            vault.cold.onRead(nil)
            await expectRefusal(.accessDenied) {
                try await engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            }
            #expect(try await engine.vaultLock(vault.location).state == .locked)
            await older.close()
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
