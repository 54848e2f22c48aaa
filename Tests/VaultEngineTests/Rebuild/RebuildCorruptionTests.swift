// SPDX-License-Identifier: Apache-2.0

import NIOCore
import SQLiteCatalog
import SealedArchive
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// What is damaged, foreign, moved or missing is named, and costs nothing but itself.
struct RebuildCorruptionTests {
    private static let mebi = 1 << 20

    private struct World {
        let single: StoredArchive
        let multipart: StoredArchive
        let upload: String
    }

    private static func fill(_ vault: TestVault) async throws -> World {
        _ = try await vault.engine.createAccount(TestVault.account)
        let single = try await vault.upload(content(1000, seed: 1), description: "single")
        let multipart = try await vault.multipart(content(mebi + 7, seed: 2), description: "in parts")
        let deleted = try await vault.upload(content(10, seed: 3))
        try await vault.engine.deleteArchive(vault.location, archiveID: deleted.archiveID)
        let upload = try await vault.engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "open")
        try await vault.part(upload, at: 0, content(mebi, seed: 4))
        return World(single: single, multipart: multipart, upload: upload)
    }

    private static var thorough: RebuildOptions {
        var options = RebuildOptions()
        options.verifyData = true
        return options
    }

    private struct Damage: Sendable {
        let blob: BlobID
        let bytes: [UInt8]
        let what: String
    }

    /// A bit in every region of every blob: preamble fields, salt, commitment, ciphertext, tag; and wrong lengths. But for the parts of
    /// deleted archives, which nobody needs any more.
    private static func damages(of blobs: [BlobID: [UInt8]]) -> [Damage] {
        func archive(_ id: BlobID) -> Substring { id.name.split(separator: ".").first ?? "" }
        let deleted = Set(blobs.keys.filter { $0.name.contains(".deletion-") }.map(archive))
        var all: [Damage] = []
        for (id, bytes) in blobs where !(id.name.contains(".part-") && deleted.contains(archive(id))) {
            let places = [0, 7, 8, 9, 10, 11, 12, 27, 28, 31, 32, 39, 40, 63, 64, 95, 96, bytes.count / 2, bytes.count - 1]
            for place in Set(places) where place < bytes.count {
                var damaged = bytes
                damaged[place] ^= 1
                all.append(Damage(blob: id, bytes: damaged, what: "byte \(place)"))
            }
            for damaged in [Array(bytes.dropLast()), bytes + [0], Array(bytes.prefix(50)), []] {
                all.append(Damage(blob: id, bytes: damaged, what: "\(damaged.count) of \(bytes.count) bytes"))
            }
        }
        return all
    }

    @Test func aFlippedBitAnywhereIsNamed() async throws {
        try await withVault { vault in
            _ = try await Self.fill(vault)
            try await vault.rebuilt(Self.thorough) { rebuilt in
                let report = rebuilt.report
                #expect(report.isClean && report.archives == 2 && report.openUploads == 1 && report.deletedArchives == 1)
            }
            try await Self.tryAll(vault)
            try await vault.expectRebuildEquals("after all was put back")
        }
    }

    private static func tryAll(_ vault: TestVault) async throws {
        let whole = vault.cold.memory.blobs
        let damages = damages(of: whole)
        #expect(damages.count > 150, "\(damages.count)")
        for damage in damages {
            vault.cold.memory.overwrite(damage.blob, with: damage.bytes)
            try await expectNamed(damage.blob, damage.what, vault)
            vault.cold.memory.overwrite(damage.blob, with: whole[damage.blob])
        }
        print("rebuild: \(damages.count) damaged blobs, each named")
    }

    private static func expectNamed(_ id: BlobID, _ what: String, _ vault: TestVault) async throws {
        try await vault.rebuilt(thorough) { rebuilt in
            #expect(
                rebuilt.findings.contains { $0.subject == id.name && $0.kind.isDamage } && !rebuilt.report.isClean,
                "\(what) of \(id): \(rebuilt.findings)")
            // Everything that does not hang on it is there.
            let isVaultGone = id.name.contains("/records/")
            if !isVaultGone {
                #expect(rebuilt.report.archives >= 1 && rebuilt.report.vaults == 1, "\(what) of \(id)")
            }
        }
    }

    @Test func anArchiveWithoutOneOfItsPartsStaysAndIsMarked() async throws {
        try await withVault { vault in
            let world = try await Self.fill(vault)
            let identifier = try #require(
                vault.keyring.identifiers.parse(world.multipart.archiveID, kind: .archive, account: TestVault.account))
            let uid = ArchiveUID(words: identifier.uid)
            let part = try #require(vault.cold.names(containing: "\(uid).part-00001").first.flatMap { BlobID($0) })
            let bytes = try #require(vault.cold.memory.blobs[part])
            vault.cold.memory.overwrite(part, with: nil)
            try await vault.rebuilt { rebuilt in
                #expect(rebuilt.report.damagedArchives == 1 && rebuilt.report.archives == 2 && !rebuilt.report.isClean)
                #expect(rebuilt.findings == [RebuildFinding(.part, part.name, "is missing")])
                let row = try await rebuilt.catalog.archive(uid)
                #expect(row?.state == .stored && row?.damage?.reason == "part 1 is missing")
            }
            vault.cold.memory.overwrite(part, with: bytes + [0])
            try await vault.rebuilt { rebuilt in #expect(rebuilt.findings.map(\.subject) == [part.name]) }
        }
    }

    /// The newest record does not verify, the one before it does: it counts, and the report says that the state may be old.
    @Test func anOlderRecordCountsLoudly() async throws {
        try await withVault { vault in
            try await vault.engine.addTags(vault.location, ["a": "1"])
            try await vault.engine.addTags(vault.location, ["b": "2"])
            let newest = try #require(vault.cold.names(containing: "/records/vault-").last.flatMap { BlobID($0) })
            vault.cold.memory.overwrite(newest, with: [1, 2, 3])
            try await vault.rebuilt { rebuilt in
                #expect(rebuilt.report.staleFindings == 1 && rebuilt.findings.first?.subject == newest.name)
                let tags = try await rebuilt.engine.tags(vault.location)
                #expect(tags == ["a": "1"])
                // The damaged record's name is never used again.
                try await rebuilt.engine.addTags(vault.location, ["c": "3"])
                let after = try await rebuilt.engine.tags(vault.location)
                #expect(after == ["a": "1", "c": "3"])
            }
        }
    }

    @Test func blobsThatWereMovedOrPlantedAreNamedAndNotBelieved() async throws {
        try await withVault { vault in
            let world = try await Self.fill(vault)
            let other = TestVault.location("other")
            try await vault.engine.createVault(other)
            let rows = [try await vault.catalog.vault(at: vault.location), try await vault.catalog.vault(at: other)]
            let (here, there) = (try #require(rows[0]).uid, try #require(rows[1]).uid)
            let store = vault.cold.memory
            let identifier = try #require(
                vault.keyring.identifiers.parse(world.single.archiveID, kind: .archive, account: TestVault.account))
            let uid = ArchiveUID(words: identifier.uid)
            // All of one archive, copied into another vault, and its manifest under another archive's and another generation's name.
            for name in vault.cold.names(containing: "\(uid).") {
                let moved = try #require(BlobID(name.replacing(here.hex, with: there.hex)))
                let original = try #require(BlobID(name))
                store.overwrite(moved, with: store.blobs[original])
            }
            let manifest = try #require(vault.cold.names(containing: "\(here)/archives/").filter { $0.contains("\(uid).manifest-") }.first)
            let manifestID = try #require(BlobID(manifest))
            let bytes = store.blobs[manifestID]
            let later = try #require(BlobID(String(manifest.dropLast(20)) + "00009999999999999999"))
            store.overwrite(later, with: bytes)
            let strange = ["notes.txt", "vaults/readme", "vaults/\(TestVault.account.digits)/\(here)/archives/x", "staged/\(uid)"]
            for name in strange { store.overwrite(try #require(BlobID(name)), with: [1]) }
            try await vault.rebuilt { rebuilt in
                #expect(rebuilt.report.archives == 2 && rebuilt.report.vaults == 2)
                let foreign = rebuilt.findings.filter { $0.kind == .foreign }.map(\.subject)
                #expect(Set(foreign) == Set(strange))
                #expect(rebuilt.findings.contains { $0.subject == later.name && $0.kind == .damaged && $0.isStale })
                #expect(rebuilt.findings.contains { $0.kind == .lost && $0.subject.contains(there.hex) })
                let row = try await rebuilt.catalog.archive(uid)
                #expect(row?.vault == here)
            }
        }
    }

    @Test func withoutAnyVaultRecordItsArchivesAreReportedAsLost() async throws {
        try await withVault { vault in
            try await vault.upload(content(10, seed: 1))
            for name in vault.cold.names(containing: "/records/") { vault.cold.memory.overwrite(try #require(BlobID(name)), with: nil) }
            try await vault.rebuilt { rebuilt in
                #expect(rebuilt.report.vaults == 0 && rebuilt.report.archives == 0 && !rebuilt.report.isClean)
                #expect(rebuilt.findings.map(\.kind) == [.lost, .lost])
            }
        }
    }

    /// A store that does not answer says nothing about what it holds: no catalog is made.
    @Test func aStoreThatFailsEndsTheRebuild() async throws {
        try await withVault { vault in
            try await vault.upload(content(10, seed: 1))
            vault.cold.onRead { (_) throws(StorageError) in throw StorageError(.transient, "too many open files") }
            await #expect(throws: VaultError.self) { try await vault.rebuilt { _ in } }
            vault.cold.onRead(nil)
            try await vault.expectRebuildEquals()
        }
    }
}
