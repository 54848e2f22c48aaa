// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Execution
import Foundation
import NIOCore
import SQLiteCatalog
import SealedArchive
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// The end of key versions and of archives: only with a proof, only after the wait, and then for good.
@Suite(.serialized) struct KeyEndTests {
    private func state(_ key: KeyVersionName, _ vault: TestVault) async throws -> KeyDestructionDescription.State? {
        try await vault.catalog.keyDestruction(key).map { KeyDestructionDescription($0).state }
    }

    @Test func aVaultKeyVersionGoesOnlyWithACertificateAndAfterItsWait() async throws {
        try await withVault { vault in
            let bytes = content(2000, seed: 1)
            let stored = try await vault.upload(bytes)
            let one = KeyChoice.vault(vault.location, version: 1)
            await expectRefusal(.invalidParameter, "is in use") {
                _ = try await vault.engine.requestKeyDestruction(one, wait: .zero)
            }
            _ = try await vault.engine.rotateVaultKey(vault.location)
            await expectRefusal(.invalidParameter, "no certificate") {
                _ = try await vault.engine.requestKeyDestruction(one, wait: .zero)
            }
            let wrap = try #require(try await vault.catalog.vault(at: vault.location)?.keys.first?.wrapped)
            #expect(try await vault.catalogBytes().holds(wrap))
            try await vault.rewrap()
            await expectRefusal(.notFound) { _ = try await vault.engine.cancelKeyDestruction(one) }
            let asked = try await vault.engine.requestKeyDestruction(one, wait: nil)
            #expect(asked.state == .destroying)
            #expect(asked.due == vault.clock.now().advanced(by: .seconds(7 * 86_400)))
            let uid = try #require(try await vault.catalog.vault(at: vault.location)).uid
            let name = KeyVersionName.vault(uid, version: 1)
            // Taken back: a year later it is still there.
            #expect(try await vault.engine.cancelKeyDestruction(one).state == .certified)
            vault.clock.advance(by: .seconds(366 * 86_400))
            let work = KeyMaintenance(engine: vault.engine)
            try await work.destroyDue()
            #expect(try await state(name, vault) == .certified)
            // Asked again, and not a moment too early.
            _ = try await vault.engine.requestKeyDestruction(one, wait: .seconds(100))
            vault.clock.advance(by: .seconds(99))
            try await work.destroyDue()
            #expect(try await state(name, vault) == .destroying)
            #expect(try await vault.engine.listKeys().vaults.map(\.state) == [.destroying, .current])
            vault.clock.advance(by: .seconds(1))
            try await work.destroyDue()
            #expect(try await state(name, vault) == .destroyed)

            let row = try #require(try await vault.catalog.vault(uid))
            #expect(row.keys.map(\.version) == [2])
            #expect(throws: VaultError.self) { try vault.keyring.key(of: row, version: 1) }
            // Of its records only the one without the version is left; the catalog holds the wrap nowhere.
            #expect(vault.cold.names(containing: "/records/vault-").count == 1)
            #expect(try await !vault.catalogBytes().holds(wrap))
            for file in ["/catalog.sqlite", "/catalog.sqlite-wal"] {
                let data = try? Data(contentsOf: URL(filePath: vault.directory + file))
                #expect(data?.range(of: Data(wrap)) == nil, "\(file)")
            }
            let text = try #require(try await vault.catalog.keyDestruction(name)?.receipt)
            let receipt = try SignedStatement(
                decoding: Array(text.utf8),
                signedBy: vault.engine.signingPublicKey)
            #expect(receipt.type == .receipt && receipt.body["subject"] == "vaultKey" && receipt.body["keyVersion"] == 1)
            let fresh = try await vault.anotherEngine()
            try await vault.running([fresh]) {
                let job = try await vault.retrieve(stored.archiveID)
                #expect(try await vault.ended(job, advancing: .milliseconds(100)).status == .succeeded)
                let received = try await vault.output(job, of: fresh)
                #expect(received == bytes)
            }
        }
    }

    @Test func whatHangsOnAVersionAgainKeepsIt() async throws {
        try await withVault { vault in
            let upload = try await vault.engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "")
            let uid = try #require(try await vault.catalog.vault(at: vault.location)).uid
            let old = try #require(try await vault.catalog.uploads(vault: uid, after: nil, limit: 1).first)
            _ = try await vault.engine.rotateVaultKey(vault.location)
            try await vault.rewrap()
            let one = KeyChoice.vault(vault.location, version: 1)
            _ = try await vault.engine.requestKeyDestruction(one, wait: .zero)
            // A record under the old version, as a slow writer of another process might leave it.
            let row = try #require(try await vault.catalog.vault(uid))
            _ = try await vault.engine.writeUploadRecord(old, description: "", in: row, from: 100)
            try await KeyMaintenance(engine: vault.engine).destroyDue()
            #expect(try await state(.vault(uid, version: 1), vault) == .destroying)
            #expect(try await vault.catalog.vault(uid)?.keys.map(\.version) == [1, 2])
            _ = upload
        }
    }

    @Test func anUploadThatOutlastsItsKeyVersionIsRefusedAndNeverLost() async throws {
        try await withVault { vault in
            let bytes = content(2000, seed: 9)
            let (body, feed) = AsyncStream.makeStream(of: ByteBuffer.self)
            let request = UploadArchiveRequest(
                location: vault.location, contentLength: UInt64(bytes.count), treeHash: naiveTreeHash(bytes),
                linearHash: SHA256Hasher.hash(bytes), description: "")
            async let outcome = vault.engine.uploadArchive(request, body: body)
            feed.yield(ByteBuffer(bytes: bytes.prefix(1000)))
            try await vault.until("the upload to have begun") {
                vault.engine.budget.freeBytes < vault.setup.memoryBudgetBytes
            }
            // Its archive is sealed under version 1, and nothing of it is anywhere yet that a sweep could see.
            _ = try await vault.engine.rotateVaultKey(vault.location)
            try await vault.rewrap()
            let uid = try #require(try await vault.catalog.vault(at: vault.location)).uid
            _ = try await vault.engine.requestKeyDestruction(.vault(vault.location, version: 1), wait: .zero)
            try await KeyMaintenance(engine: vault.engine).destroyDue()
            #expect(try await state(.vault(uid, version: 1), vault) == .destroyed)
            feed.yield(ByteBuffer(bytes: bytes.suffix(1000)))
            feed.finish()
            do {
                _ = try await outcome
                Issue.record("an archive was acknowledged that nobody can open")
            } catch {
                #expect((error as? VaultError)?.code == .unavailable, "\(error)")
            }
            #expect(try await vault.catalog.totals().archives == 0)
        }
    }

    @Test func aMasterKeyVersionGoesWithItsFileAndEverythingStaysReadable() async throws {
        try await withVault { vault in
            let stored = try await vault.upload([1, 2, 3])
            let access = try await vault.engine.createAccount(nil)
            // A vault that is gone leaves a record under the old version.
            let other = TestVault.location("other")
            try await vault.engine.createVault(other)
            try await vault.engine.deleteVault(other)
            _ = try await vault.engine.rotateMasterKey()
            try await vault.rewrap()
            #expect(try await state(.master(version: 1), vault) == .certified)
            await expectRefusal(.invalidParameter, "is in use") {
                _ = try await vault.engine.requestKeyDestruction(.master(version: 2), wait: .zero)
            }
            _ = try await vault.engine.requestKeyDestruction(.master(version: 1), wait: .zero)
            try await KeyMaintenance(engine: vault.engine).destroyDue()
            #expect(try await state(.master(version: 1), vault) == .destroyed)
            #expect(vault.keyFiles.all["master-000001.json"] == nil)
            let listing = try await vault.engine.listKeys()
            #expect(listing.master.map(\.state) == [.destroyed, .current])
            #expect(listing.signing.count == 1 && listing.audit.count == 1)
            let fresh = try await vault.anotherEngine()
            try await fresh.prepare()
            #expect(try await fresh.credential(for: access.accessKeyID) != nil)
            try await vault.running([fresh]) {
                let job = try await vault.retrieve(stored.archiveID)
                #expect(try await vault.ended(job, advancing: .milliseconds(100)).status == .succeeded)
                let received = try await vault.output(job, of: fresh)
                #expect(received == [1, 2, 3])
            }
        }
    }

    @Test func theMasterKeyIsRotatedOnSchedule() async throws {
        try await withVault({ $0.configuration.masterKeyRotation = .seconds(90 * 86_400) }) { vault in
            let stored = try await vault.upload([4])
            try await vault.running {
                vault.clock.advance(by: .seconds(89 * 86_400))
                try await vault.check(stored.archiveID, holds: [4])
                #expect(vault.keyring.currentMaster.version == 1)
                vault.clock.advance(by: .seconds(86_400))
                try await vault.until("the rotation", advancing: .seconds(1)) {
                    try await vault.engine.listKeys().master.map(\.references) == [0, 1]
                }
                #expect(vault.keyring.currentMaster.version == 2)
            }
        }
    }

    @Test func aMasterKeyThatIsNeededAndMissingKeepsTheServiceFromStarting() async throws {
        try await withVault { vault in
            try await vault.upload([1])
            _ = try await vault.keyring.addMaster(now: vault.clock.now())
            try await vault.keyFiles.remove("master-000001.json")
            let fresh = try await vault.anotherEngine()
            await expectRefusal(.integrity, "needs master key version 1") { try await fresh.prepare() }
        }
    }

    @Test func aPurgedArchiveLeavesNoWrapOfItsKeyAnywhere() async throws {
        try await withVault { vault in
            let upload = try await vault.engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "secret plans")
            let bytes = content(5000, seed: 2)
            try await vault.part(upload, at: 0, bytes)
            let uid = try #require(try await vault.catalog.vault(at: vault.location)).uid
            let row = try #require(try await vault.catalog.uploads(vault: uid, after: nil, limit: 1).first)
            #expect(try await vault.catalogBytes().holds(row.wrappedDataKey), "the search finds what is there")
            let stored = try await vault.engine.completeUpload(
                vault.location, uploadID: upload, size: UInt64(bytes.count), treeHash: naiveTreeHash(bytes))
            await expectRefusal(.invalidParameter, "is not deleted") {
                _ = try await vault.engine.purgeArchive(vault.location, archiveID: stored.archiveID)
            }
            try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            let manifest = try #require(vault.cold.names(containing: ".manifest-").first)
            let manifestID = try #require(BlobID(manifest))
            let digest = SHA256Hasher.hash(try #require(vault.cold.memory.blobs[manifestID]))
            let text = try await vault.engine.purgeArchive(vault.location, archiveID: stored.archiveID)
            let receipt = try SignedStatement(decoding: Array(text.utf8), signedBy: vault.engine.signingPublicKey)
            #expect(receipt.type == .receipt && receipt.body["archiveId"]?.stringValue == stored.archiveID)
            let blobs = receipt.body["blobs"]?.arrayValue ?? []
            #expect(blobs.contains { $0["name"]?.stringValue == manifest && $0["sha256"]?.stringValue == digest.hex })
            #expect(blobs.contains { $0["kind"] == "part" } && blobs.contains { $0["kind"] == "upload" })
            // Only the record of the deletion is left; no byte of the wrapped key in the file, its free pages or its log.
            #expect(vault.cold.names(containing: row.archive.hex).allSatisfy { $0.contains(".deletion-") })
            for file in ["/catalog.sqlite", "/catalog.sqlite-wal"] {
                let data = try? Data(contentsOf: URL(filePath: vault.directory + file))
                #expect(data?.range(of: Data(row.wrappedDataKey)) == nil, "\(file)")
            }
            await expectRefusal(.notFound) {
                _ = try await vault.engine.purgeArchive(vault.location, archiveID: stored.archiveID)
            }
        }
    }

    @Test func aPurgeWaitsForALockAndForAnOutput() async throws {
        try await withVault { vault in
            let pinned = try await vault.upload([1])
            try await vault.running {
                let job = try await vault.retrieve(pinned.archiveID)
                _ = try await vault.ended(job)
            }
            try await vault.engine.deleteArchive(vault.location, archiveID: pinned.archiveID)
            await expectRefusal(.unavailable, "is served out of this archive") {
                _ = try await vault.engine.purgeArchive(vault.location, archiveID: pinned.archiveID)
            }
            let second = try await vault.upload([2])
            try await vault.engine.deleteArchive(vault.location, archiveID: second.archiveID)
            let id = try await vault.engine.initiateVaultLock(vault.location, policy: PolicyText.retention(days: 1))
            try await vault.engine.completeVaultLock(vault.location, lockID: id)
            await expectRefusal(.accessDenied, "is locked") {
                _ = try await vault.engine.purgeArchive(vault.location, archiveID: second.archiveID)
            }
        }
    }
}
