// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import FileKeyCustody
import Logging
import NIOCore
import SQLiteCatalog
import SealedArchive
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Acts of operators and of the service itself reach the audit log, and what they destroy leaves the log whole.
@Suite(.serialized) struct AuditedActsTests {
    private static func actions(_ engine: VaultEngine, _ prefix: String? = nil) async throws -> [String] {
        try await engine.auditPage(AuditQuery(action: prefix)).entries.compactMap { $0.members["action"]?.stringValue }
    }

    @Test func theLogAndItsCheckpointsOutliveTheMasterKeyTheyWereMadeUnder() async throws {
        try await withVault { vault in
            try await vault.upload([1, 2, 3])
            for _ in 0..<3 { try await vault.engine.checkpoint(.operator) }
            _ = try await vault.engine.rotateMasterKey()
            try await vault.rewrap()
            let before = try await vault.engine.listCheckpoints()
            let one = KeyChoice.master(version: 1)
            _ = try await vault.engine.requestKeyDestruction(one, wait: nil)
            _ = try await vault.engine.cancelKeyDestruction(one)
            _ = try await vault.engine.requestKeyDestruction(one, wait: .zero)
            try await KeyMaintenance(engine: vault.engine).destroyDue()
            #expect(vault.keyFiles.all["master-000001.json"] == nil)
            let found = try await Self.actions(vault.engine, "key")
            for action in [
                "RotateMasterKey", "EndRotation", "BeginRewrap", "EndRewrap", "Certify", "RequestDestruction", "CancelDestruction",
                "Destroy",
            ] {
                #expect(found.contains("key:\(action)"), "\(action) is not among \(found)")
            }
            let fresh = try await vault.anotherEngine()
            try await fresh.prepare()
            #expect(fresh.historyState() == .consistent)
            #expect(try await fresh.listCheckpoints().prefix(before.count).map(\.hash) == before.map(\.hash))
            let verified = try await fresh.verifyAudit()
            #expect(verified.faults == [] && verified.checkpoints >= 3)
            #expect(try await fresh.checkpoint(.operator).generation > 3)
            // The service knew what it did to its key files: nothing is entered as done behind its back.
            #expect(try await !Self.actions(fresh, "key").contains("key:ChangeKeyFiles"))
            try await vault.expectRebuildEquals()
        }
    }

    @Test func aCheckpointThatWasBeingMovedIsThereAfterACrash() async throws {
        let blobs = MemoryBlobStore()
        try await withVault({ $0.cold = blobs }) { vault in
            let made = try await vault.engine.checkpoint(.operator)
            let id = try blobID(BlobName.checkpoint(generation: 1).text)
            let size = try #require(try await blobs.size(of: id))
            let bytes = Array(try await blobs.read(id, range: 0..<size).readableBytesView)
            let move: JSONValue = ["blob": .string(Base64.encode(bytes)), "generation": 1]
            try await vault.catalog.setFact("checkpoint_move", move.canonicalString(), audit: .none)
            try await blobs.delete(id)
            let fresh = try await vault.anotherEngine()
            try await fresh.prepare()
            #expect(fresh.historyState() == .consistent)
            #expect(try await fresh.listCheckpoints().map(\.hash) == [made.hash])
        }
    }

    @Test func aCatalogThatLacksNothingButCheckpointsGoesOn() async throws {
        try await withVault { vault in
            try await vault.upload([1])
            try await vault.engine.checkpoint(.backup)
            let path = vault.directory + "/backup.sqlite"
            try await vault.catalog.backup(to: path)
            try await vault.engine.checkpoint(.stop)
            try await vault.engine.checkpoint(.start)
            func state() async throws -> HistoryState {
                let copy = vault.directory + "/copy-\(UInt64.random(in: 0...UInt64.max)).sqlite"
                let held = try await SQLiteCatalog.open(path: path)
                try await held.backup(to: copy)
                await held.close()
                let catalog = try await SQLiteCatalog.open(path: copy)
                let engine = vault.engine(over: catalog, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
                try await engine.compareHistories()
                await catalog.close()
                return engine.historyState()
            }
            #expect(try await state() == .consistent)
            // One act more, and it is an older catalog.
            try await vault.upload([2])
            try await vault.engine.checkpoint(.stop)
            #expect(try await state() == .catalogRolledBack(catalog: 1, blobs: 4))
        }
    }

    @Test func whatWasDoneToKeysWhileTheServiceWasStoppedIsEnteredOnce() async throws {
        try await withVault { vault in
            try await vault.engine.prepare()
            let new = SecretKey(random: vault.random)
            _ = try await RootRotation(files: vault.keyFiles, random: vault.random).replace(
                FileKeyCustody(rootKey: vault.root, random: vault.random), with: FileKeyCustody(rootKey: new, random: vault.random))
            let keyring = try await TestVault.openKeyring(vault.keyFiles, new, vault.random)
            for _ in 0..<2 {
                let engine = VaultEngine(
                    configuration: vault.setup, catalog: vault.catalog, cold: vault.cold, warm: vault.warm, keyring: keyring,
                    compute: TestVault.compute, clock: vault.clock, random: vault.random,
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
                try await engine.prepare()
                #expect(try await Self.actions(engine, "key") == ["key:RotateRootKey"])
            }
        }
    }

    @Test func strangersFillNeitherTheLogNorTheMemoryNorHideOthers() async throws {
        try await withVault { vault in
            let before = try await vault.catalog.auditHead().sequence
            for second in 0..<60 {
                for number in 0..<500 {
                    let key = "CV" + String(repeating: "A", count: 10) + String(second * 500 + number + 10_000_000)
                    vault.engine.noteRefusal(
                        RefusedRequest(
                            reason: .unknownAccessKey, accessKeyID: key, sourceAddress: "192.0.2.\(number % 250)", action: .listVaults))
                }
                #expect(vault.engine.denialDesk.remembered <= 2 * DenialFolder.maxKeys)
                await vault.engine.denialDesk.flush(into: vault.engine)
                vault.clock.advance(by: .seconds(1))
            }
            let caller = Caller(
                principal: Principal(account: TestVault.account, user: UserName("maria")), region: TestVault.region,
                accessKeyID: "AKIDAUDITTEST")
            await expectRefusal(.accessDenied) {
                _ = try await vault.engine.authorize(caller, .deleteVault, on: .vault(vault.location))
            }
            await vault.engine.denialDesk.flush(into: vault.engine, always: true)
            let entries = try await vault.engine.auditPage(AuditQuery(after: before)).entries
            #expect(entries.count <= 256 + 60 + 4)
            #expect(entries.reduce(0) { $0 + ($1.members["count"]?.integerValue ?? 0) } == 30_001)
            #expect(entries.contains { $0.members["action"]?.stringValue == "glacier:DeleteVault" })
            let first = try #require(entries.first { $0.members["actor"]?["kind"] == "stranger" })
            #expect(first.members["statement"] == "unknown access key" && first.members["actor"]?["sourceAddress"] != nil)
            // What has not the form of an access key id may be a secret.
            #expect(RefusedRequest(reason: .invalidSignature, accessKeyID: "wJalrXUtnFEMI/K7MDE", sourceAddress: nil, action: nil).accessKeyID == nil)
        }
    }

    @Test func aPurgeEndsStagedOutputsAndItsReceiptCanBeShownAgain() async throws {
        try await withVault({ $0.configuration.outputMode = .staged }) { vault in
            let stored = try await vault.upload(content(3000, seed: 7))
            try await vault.running { _ = try await vault.download(stored.archiveID) }
            #expect(!vault.warm.memory.blobs.isEmpty)
            await expectRefusal(.notFound, "was not purged") {
                try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
                _ = try await vault.engine.purgeReceipt(vault.location, archiveID: stored.archiveID)
            }
            let receipt = try await vault.engine.purgeArchive(vault.location, archiveID: stored.archiveID)
            #expect(vault.warm.memory.blobs.isEmpty)
            let statement = try SignedStatement(decoding: Array(receipt.utf8), signedBy: vault.engine.signingPublicKey)
            #expect(statement.body["stagedOutputs"]?.arrayValue?.count == 1)
            #expect(try await vault.engine.purgeReceipt(vault.location, archiveID: stored.archiveID) == receipt)
            let entries = try await vault.engine.auditPage(AuditQuery(action: "archive")).entries
            #expect(entries.compactMap { $0.members["action"]?.stringValue } == ["archive:Purge", "archive:RemoveBytes"])
            #expect(
                entries.last?.members["details"]?["receipt"]?.stringValue == SHA256Hasher.hash(Array(receipt.utf8)).hex)
        }
    }
}
