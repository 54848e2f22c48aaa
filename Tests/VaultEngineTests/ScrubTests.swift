// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Logging
import NIOCore
import SQLiteCatalog
import SealedArchive
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

@Suite(.timeLimit(.minutes(5))) struct ScrubTests {
    @Test func aPassVerifiesEverythingAndLeavesASignedReport() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(TestVault.account)
            let small = try await vault.upload(content(5000, seed: 1), description: "small")
            let large = try await vault.multipart(content(3 << 20 | 77, seed: 2))
            let open = try await vault.engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "")
            try await vault.part(open, at: 0, content(1 << 20, seed: 3))
            #expect(try await vault.engine.scrubStatus().oldestUnverified != nil)
            vault.clock.advance(by: .seconds(60))
            let tally = try await vault.engine.scrubOnce()
            #expect(tally.failures == 0 && tally.repairs == 0 && tally.findings == [])
            #expect(tally.archives == 2)
            // Two manifests, 5 parts of archives, 1 of the upload, records of vault and account.
            #expect(tally.blobs >= 10)
            for archive in [small, large] {
                #expect(try await vault.row(archive.archiveID)?.verified == vault.clock.now())
                #expect(try await vault.row(archive.archiveID)?.damage == nil)
            }
            let text = try #require(try await vault.engine.scrubReport())
            let report = try SignedStatement(decoding: Array(text.utf8), signedBy: vault.keyring.signingPublicKey)
            #expect(report.type == .scrubReport)
            #expect(report.body["archives"]?.integerValue == 2 && report.body["failures"]?.integerValue == 0)
            #expect(report.body["bytes"]?.integerValue == Int64(tally.bytes) && tally.bytes > 1 << 20)
            #expect(try await vault.engine.scrubStatus().activity == .waiting)
        }
    }

    @Test(arguments: Damage.allCases, ["part-", "manifest-"])
    func damageMarksTheArchiveAndTheMarkGoesWhenItIsGoodAgain(_ damage: Damage, _ kind: String) async throws {
        try await withVault { vault in
            let hit = try await vault.multipart(content(2 << 20 | 5, seed: 1))
            let good = content(700, seed: 9)
            vault.clock.advance(by: .seconds(1))
            let before = vault.cold.memory.blobs
            let spared = try await vault.upload(good)
            for id in vault.cold.memory.ids(containing: kind) where before[id] != nil {
                damage.hit(id, in: vault.cold.memory)
            }
            let log = LoggedLines()
            let engine = vault.engine(cold: vault.cold, logger: log.logger)
            let tally = try await engine.scrubOnce()
            #expect(tally.failures == 1)
            #expect(try await engine.damagedIDs() == [hit.archiveID])
            #expect(log.all.contains { $0.level == .error && $0.metadata["archive"] == hit.archiveID })
            // Nothing was removed, and the other is served.
            let still = vault.cold.memory.blobs
            #expect(still.count == before.count + 2 - (damage == .missing ? (kind == "part-" ? 3 : 1) : 0))
            let served1 = try await vault.running([engine]) { try await vault.fetch(spared.archiveID, from: engine) }
            #expect(served1 == good)
            for (id, bytes) in before { vault.cold.memory.overwrite(id, with: bytes) }
            vault.clock.advance(by: .seconds(10))
            #expect(try await engine.scrubOnce().failures == 0)
            #expect(try await engine.damagedIDs() == [])
            #expect(log.named("an archive that was damaged verifies again").count == 1)
        }
    }

    @Test func everyByteOfASmallPartCounts() async throws {
        try await withVault { vault in
            let archive = try await vault.upload(content(900, seed: 4))
            let id = try #require(vault.cold.memory.ids(containing: "part-").first)
            let bytes = try #require(vault.cold.memory.blobs[id])
            let row = try #require(try await vault.row(archive.archiveID))
            let home = try #require(try await vault.catalog.vault(row.vault))
            let check = ArchiveCheck(engine: vault.engine, pace: ScrubPace(.unlimited, clock: vault.clock))
            var tally = ScrubTally()
            for offset in bytes.indices {
                var rotten = bytes
                rotten[offset] ^= 1
                vault.cold.memory.overwrite(id, with: rotten)
                let outcome = try await check.check(row, in: home, tally: &tally)
                guard case .damaged = outcome else {
                    Issue.record("a flipped bit in byte \(offset) of \(bytes.count) was not found")
                    return
                }
            }
            vault.cold.memory.overwrite(id, with: bytes)
            #expect(try await check.check(row, in: home, tally: &tally) == .good)
        }
    }

    @Test func aPassingTroubleIsNoDamage() async throws {
        try await withVault { vault in
            let archive = try await vault.upload(content(5000, seed: 1))
            vault.cold.onRead { (id) throws(StorageError) in
                if id.name.contains("part-") { throw StorageError(.transient, "busy") }
            }
            try await vault.engine.scrubOnce()
            #expect(try await vault.row(archive.archiveID)?.verified == nil)
            #expect(try await vault.engine.damagedIDs() == [])
            vault.cold.onRead(nil)
            try await vault.engine.scrubOnce()
            #expect(try await vault.row(archive.archiveID)?.verified != nil)
        }
    }

    @Test func theNewestComesFirst() async throws {
        try await withVault { vault in
            var ids: [String] = []
            for number in 0..<20 {
                ids.append(try await vault.upload(content(100 + number, seed: 1)).archiveID)
                vault.clock.advance(by: .seconds(1))
            }
            let scrubber = Scrubber(engine: vault.engine, limits: .unlimited)
            try await vault.engine.scrubDesk.load(from: vault.catalog)
            // A pass begins, then a page of archives.
            for _ in 0..<2 { #expect(try await scrubber.step()) }
            var verified: [String] = []
            for id in ids where try await vault.row(id)?.verified != nil { verified.append(id) }
            #expect(verified == Array(ids.suffix(8)))
        }
    }

    @Test func damagedRecordsAreReported() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(TestVault.account)
            for kind in ["records/vault-", "accounts/"] {
                let id = try #require(vault.cold.memory.ids(containing: kind).last)
                Damage.flipped.hit(id, in: vault.cold.memory)
            }
            let tally = try await vault.engine.scrubOnce()
            #expect(tally.failures == 2)
            #expect(tally.findings.count == 2)
        }
    }

    @Test func pausingAndTheCursorOutliveTheProcess() async throws {
        try await withVault({ $0.configuration.scrub = .unlimited }) { vault in
            for number in 0..<20 { try await vault.upload(content(100 + number, seed: 1)) }
            let scrubber = Scrubber(engine: vault.engine, limits: .unlimited)
            _ = try await vault.engine.startScrub()
            for _ in 0..<4 { #expect(try await scrubber.step()) }
            let pass = vault.engine.scrubDesk.current
            #expect(pass.phase != nil && pass.pass == 1)
            #expect(try await vault.engine.pauseScrub().activity == .paused)
            let second = try await vault.anotherEngine()
            #expect(try await second.scrubStatus().activity == .paused)
            let resumed = Scrubber(engine: second, limits: .unlimited)
            #expect(try await !resumed.step())
            #expect(try await second.startScrub().pass == 1)
            while second.scrubDesk.current.ended == nil || second.scrubDesk.current.phase != nil { #expect(try await resumed.step()) }
            #expect(second.scrubDesk.current.pass == 1)
            #expect(try await second.scrubReport() != nil)
        }
    }

    @Test func anArchiveThatIsDeletedMeanwhileIsNotMarked() async throws {
        try await withVault({ $0.configuration.deletionGrace = .zero }) { vault in
            let archive = try await vault.upload(content(5000, seed: 1))
            let row = try #require(try await vault.row(archive.archiveID))
            let home = try #require(try await vault.catalog.vault(row.vault))
            try await vault.engine.deleteArchive(vault.location, archiveID: archive.archiveID)
            await Reclaimer(engine: vault.engine).round()
            #expect(vault.cold.memory.ids(containing: "part-").isEmpty)
            let check = ArchiveCheck(engine: vault.engine, pace: ScrubPace(.unlimited, clock: vault.clock))
            var tally = ScrubTally()
            #expect(try await check.check(row, in: home, tally: &tally) == .overtaken)
        }
    }
}
