// SPDX-License-Identifier: Apache-2.0

import Cryptography
import SQLiteCatalog
import Storage
import Testing
import VaultModel

@testable import VaultEngine

/// A catalog that is made again from blobs and keys says what the lost one said.
struct RebuildTests {
    private static let mebi = 1 << 20

    @Test func anEmptyServiceIsRebuiltAsItWas() async throws {
        try await withVault { try await $0.expectRebuildEquals() }
    }

    @Test func everythingThatWasAcknowledgedIsThereAgain() async throws {
        try await withVault { vault in
            let key = try await vault.engine.createAccount(TestVault.account)
            let user = try #require(UserName("anna"))
            try await vault.engine.createUser(TestVault.account, user)
            try await vault.engine.putUserPolicy(TestVault.account, user, name: "p", document: UserTests.allowList)
            _ = try await vault.engine.createAccessKey(TestVault.account, user: user)
            try await vault.engine.setAccessKey(key.accessKeyID, active: false)
            try await vault.engine.addTags(vault.location, ["a": "1", "b": "2"])
            let lock = try await vault.engine.initiateVaultLock(vault.location, policy: PolicyText.retention(days: 1))
            try await vault.engine.completeVaultLock(vault.location, lockID: lock)
            let other = TestVault.location("other")
            try await vault.engine.createVault(other)
            let kept = try await vault.upload(content(1000, seed: 1), description: "kept")
            _ = try await vault.multipart(content(3 * Self.mebi + 5, seed: 2), description: "in parts")
            let deleted = try await vault.upload(content(10, seed: 3), to: other)
            vault.clock.advance(by: .seconds(60))
            try await vault.engine.deleteArchive(other, archiveID: deleted.archiveID)
            _ = try await vault.engine.rotateVaultKey(vault.location)
            _ = try await vault.engine.rotateMasterKey()
            vault.clock.advance(by: .seconds(60))
            try await vault.upload(content(77, seed: 4), description: "under the newer key")
            let upload = try await vault.engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "open")
            try await vault.part(upload, at: 0, content(Self.mebi, seed: 5))
            vault.clock.advance(by: .seconds(1))
            try await vault.part(upload, at: 0, content(Self.mebi, seed: 6))
            try await vault.part(upload, at: Self.mebi, content(100, seed: 7))
            let aborted = try await vault.engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "given up")
            try await vault.part(aborted, at: 0, content(Self.mebi, seed: 8))
            try await vault.engine.abortUpload(vault.location, uploadID: aborted)
            try await vault.expectRebuildEquals()

            // And clients go on with it.
            try await vault.rebuilt { rebuilt in
                #expect(rebuilt.report.archives == 3 && rebuilt.report.deletedArchives == 1 && rebuilt.report.lockedVaults == 1)
                try await vault.running([rebuilt.engine]) {
                    let bytes = content(Self.mebi, seed: 6) + content(100, seed: 7)
                    let done = try await rebuilt.engine.completeUpload(
                        vault.location, uploadID: upload, size: UInt64(bytes.count), treeHash: naiveTreeHash(bytes))
                    let completed = try await Self.download(done.archiveID, vault, rebuilt.engine)
                    #expect(completed == bytes)
                    let read = try await Self.download(kept.archiveID, vault, rebuilt.engine)
                    #expect(read == content(1000, seed: 1))
                    await expectRefusal(.notFound) {
                        _ = try await Self.download(deleted.archiveID, vault, rebuilt.engine, other)
                    }
                    await expectRefusal(.accessDenied) {
                        try await rebuilt.engine.deleteArchive(vault.location, archiveID: kept.archiveID)
                    }
                    await expectRefusal(.notFound) {
                        _ = try await rebuilt.engine.completeUpload(
                            vault.location, uploadID: aborted, size: 1 << 20, treeHash: naiveTreeHash(content(Self.mebi, seed: 8)))
                    }
                    try await rebuilt.engine.addTags(vault.location, ["c": "3"])
                }
            }
        }
    }

    @Test func aPurgedArchiveLeavesNothingButItsDeletionRecord() async throws {
        try await withVault({ $0.configuration.deletionGrace = .seconds(60) }) { vault in
            let archive = try await vault.upload(content(10, seed: 1))
            let kept = try await vault.multipart(content(Self.mebi + 1, seed: 2))
            try await vault.engine.deleteArchive(vault.location, archiveID: archive.archiveID)
            try await vault.running {
                try await vault.until("the purge", advancing: .seconds(20)) { vault.cold.names(containing: "part-").count == 2 }
            }
            try await vault.expectRebuildEquals()
            try await vault.rebuilt { rebuilt in
                #expect(rebuilt.report.purgedArchives == 1 && rebuilt.report.archives == 1)
                try await vault.running([rebuilt.engine]) {
                    let read = try await Self.download(kept.archiveID, vault, rebuilt.engine)
                    #expect(read == content(Self.mebi + 1, seed: 2))
                }
            }
        }
    }

    @Test func whatIsLeftOfAnInterruptedPurgeIsFinishedByTheNextService() async throws {
        try await withVault({ $0.configuration.deletionGrace = .seconds(60) }) { vault in
            let archive = try await vault.upload(content(10, seed: 1))
            try await vault.engine.deleteArchive(vault.location, archiveID: archive.archiveID)
            let manifest = try #require(vault.cold.names(containing: "manifest-").first.flatMap { BlobID($0) })
            try await vault.cold.delete(manifest)
            try await vault.rebuilt { rebuilt in
                #expect(rebuilt.report.isClean && rebuilt.report.archives == 0 && rebuilt.report.doomedBlobs == 1)
                try await vault.running([rebuilt.engine]) {
                    try await vault.until("the purge", advancing: .seconds(20)) { vault.cold.names(containing: "part-").isEmpty }
                }
                #expect(vault.cold.names(containing: "deletion-").count == 1)
            }
        }
    }

    @Test func aDeletedVaultStaysDeleted() async throws {
        try await withVault { vault in
            let gone = TestVault.location("gone")
            try await vault.engine.createVault(gone)
            let archive = try await vault.upload(content(10, seed: 1), to: gone)
            let upload = try await vault.engine.initiateUpload(gone, partBytes: 1 << 20, description: "")
            _ = upload
            try await vault.engine.deleteArchive(gone, archiveID: archive.archiveID)
            try await vault.engine.deleteVault(gone)
            try await vault.expectRebuildEquals("with an archive that waits for its grace")
            try await vault.engine.createVault(gone)
            try await vault.expectRebuildEquals("with a new vault of the same name")
            try await vault.rebuilt { rebuilt in
                #expect(rebuilt.report.vaults == 2 && rebuilt.report.deletedVaults == 1 && rebuilt.report.deletedArchives == 1)
            }
        }
    }

    /// Two creations raced: the loser's record was doomed, and the catalog was lost before it went.
    @Test func ofTwoVaultsOfOneNameTheOneInUseStays() async throws {
        for isYounger in [false, true] {
            try await withVault { vault in
                let found = try await vault.catalog.vault(at: vault.location)
                let row = try #require(found)
                var stray = VaultRow(
                    uid: VaultUID(random: vault.random), location: vault.location, state: .active,
                    created: row.created.advanced(by: .seconds(isYounger ? 5 : -5)), generation: 1, compression: nil, keys: [], settings: nil)
                stray.keys = [
                    try vault.keyring.makeVaultKey(account: TestVault.account, vault: stray.uid, version: 1, now: vault.clock.now())
                ]
                _ = try await vault.engine.writeVaultRecord(stray, .none, from: 1)
                try await vault.upload(content(10, seed: 1))
                try await vault.expectRebuildEquals("younger: \(isYounger)")
                try await vault.rebuilt { rebuilt in #expect(rebuilt.report.findingCounts == [.unnamed: 1]) }
            }
        }
    }

    /// A master key rotation that a crash cut off: accounts still hang on the old version, and the catalog must say so.
    @Test func anInterruptedRotationIsFinishedAfterARebuild() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(TestVault.account)
            _ = try await vault.keyring.addMaster(now: vault.clock.now())
            try await vault.rebuilt { rebuilt in
                let before = try await rebuilt.catalog.keyReferences().master
                #expect((before[1] ?? 0) >= 2)
                let report = try await rebuilt.engine.rewrapEverything()
                #expect(report.rewrappedVaultKeys == 1 && report.resealedAccounts == 1)
                let after = try await rebuilt.catalog.keyReferences().master
                #expect(after[1] == nil)
            }
        }
    }

    static func download(
        _ archive: String, _ vault: TestVault, _ engine: VaultEngine, _ location: VaultLocation? = nil
    ) async throws -> [UInt8] {
        let location = location ?? vault.location
        let job = try await engine.initiateJob(
            location, JobRequest(action: .archive(archiveID: archive, range: nil), tier: nil, description: nil, snsTopic: nil))
        try await vault.until("the end of a job") { try await engine.describeJob(location, jobID: job).status != .inProgress }
        return try await TestVault.bytes(of: engine.openOutput(location, jobID: job, range: .whole))
    }
}
