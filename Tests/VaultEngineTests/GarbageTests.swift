// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import NIOCore
import SQLiteCatalog
import SealedArchive
import Storage
import StorageLaws
import Synchronization
import Testing
import VaultModel

@testable import VaultEngine

@Suite(.timeLimit(.minutes(10))) struct GarbageTests {
    @Test func aBlobThatNobodyNamesIsToldAfterTwoSightsAndStays() async throws {
        try await withVault { vault in
            try await vault.upload(content(5000, seed: 1))
            let part = try #require(vault.cold.memory.ids(containing: "part-").first)
            // Another write of the part, which the manifest does not name; and something that is not ours at all.
            let stray = try #require(BlobID(String(part.name.dropLast()) + "7"))
            let foreign = try #require(BlobID("lost/and-found"))
            for id in [stray, foreign] { vault.cold.memory.overwrite(id, with: [1, 2, 3]) }
            let limits = ScrubConfiguration.unlimited
            #expect(try await vault.engine.scrubOnce().unnamed == 0)
            #expect(try await vault.engine.unnamedBlobs(after: nil, limit: 10).blobs == [])
            vault.clock.advance(by: limits.unnamedAge + .seconds(1))
            #expect(try await vault.engine.scrubOnce().unnamed == 2)
            #expect(try await vault.engine.unnamedBlobs(after: nil, limit: 10).blobs.map(\.blob) == [foreign.name, stray.name].sorted())
            vault.clock.advance(by: .seconds(400 * 86_400))
            await Reclaimer(engine: vault.engine).round()
            #expect(vault.cold.memory.blobs[stray] == [1, 2, 3] && vault.cold.memory.blobs[foreign] == [1, 2, 3])
            // An operator takes one away: it is forgotten.
            vault.cold.memory.overwrite(stray, with: nil)
            #expect(try await vault.engine.scrubOnce().unnamed == 1)
            #expect(try await vault.engine.unnamedBlobs(after: nil, limit: 10).blobs.map(\.blob) == [foreign.name])
        }
    }

    @Test func partsOfOpenUploadsAndDoomedBlobsAreNamed() async throws {
        try await withVault { vault in
            let upload = try await vault.engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "")
            for seed in 1...2 { try await vault.part(upload, at: 0, content(1 << 20, seed: UInt64(seed))) }
            try await vault.engine.setVaultCompression(vault.location, "none")
            for _ in 0..<2 {
                #expect(try await vault.engine.scrubOnce().unnamed == 0)
                vault.clock.advance(by: .seconds(2 * 86_400))
            }
        }
    }

    @Test func anArchiveWhoseCommitIsUnknownIsTakenUpFromItsManifest() async throws {
        try await withVault { vault in
            vault.cold.leaveUnknown(1)
            let bytes = content(5000, seed: 1)
            await #expect(throws: VaultError.self) { try await vault.upload(bytes, description: "kept") }
            #expect(vault.cold.memory.ids(containing: "manifest-").count == 1)
            // Young: it may still be on its way.
            #expect(try await vault.engine.scrubOnce().adopted == 0)
            vault.clock.advance(by: .seconds(7200))
            #expect(try await vault.engine.scrubOnce().adopted == 1)
            let home = try #require(try await vault.catalog.vault(at: vault.location))
            #expect(home.archiveCount == 1 && home.totalBytes == 5000)
            let row = try #require(
                try await vault.catalog.archives(vault: home.uid, after: nil, from: nil, until: nil, limit: 2).first)
            try await vault.running { try await vault.check(row.id, holds: bytes) }
            #expect(try await vault.engine.scrubOnce().failures == 0)
            #expect(try await vault.engine.unnamedBlobs(after: nil, limit: 10).blobs == [])
        }
    }

    @Test(arguments: [true, false]) func whatWasDeletedOrIsIncompleteIsNotTakenUp(_ deleted: Bool) async throws {
        try await withVault { vault in
            let archive = try await vault.upload(content(5000, seed: 1))
            if deleted { try await vault.engine.deleteArchive(vault.location, archiveID: archive.archiveID) }
            let path = vault.directory + "/without.sqlite"
            try await vault.catalog.backup(to: path)
            try await Self.change(path) { try $0.execute(sql: "DELETE FROM archives") }
            if !deleted {
                for id in vault.cold.memory.ids(containing: "part-") { vault.cold.memory.overwrite(id, with: nil) }
            }
            let catalog = try await SQLiteCatalog.open(path: path)
            let engine = vault.engine(cold: vault.cold, catalog: catalog)
            for _ in 0..<2 {
                vault.clock.advance(by: .seconds(2 * 86_400))
                #expect(try await engine.scrubOnce().adopted == 0)
            }
            #expect(try await !engine.unnamedBlobs(after: nil, limit: 10).blobs.isEmpty)
            await catalog.close()
        }
    }

    // MARK: incomplete catalogs

    /// What the true catalog names, and what lies in the store.
    private struct Truth {
        var blobs: [BlobID: [UInt8]] = [:]
        var live: Set<BlobID> = []
        /// The vault's record in force; an engine over an older catalog takes it up and replaces it by a newer one.
        var vaultRecord: BlobID?
        /// Copies of the catalog from earlier moments, and the last.
        var catalogs: [String] = []
    }

    @Test func noLiveBlobIsRemovedWhateverACatalogLacks() async throws {
        let count = ProcessInfo.processInfo.environment["COLDVAULT_GARBAGE_CATALOGS"].flatMap { Int($0) } ?? 100
        try await withVault { vault in
            let truth = try await Self.build(vault)
            #expect(truth.live.count > 15)
            var rowsRemoved = 0
            var kept = 0
            for seed in 0..<UInt64(count) {
                var random = SeededGenerator(seed: seed)
                let path = vault.directory + "/incomplete-\(seed).sqlite"
                let base = try #require(truth.catalogs.randomElement(using: &random))
                try FileManager.default.copyItem(atPath: base, toPath: path)
                rowsRemoved += try await Self.removeRows(path, &random)
                let store = MemoryBlobStore()
                for (id, bytes) in truth.blobs { try await store.putAll([(id, ByteBuffer(bytes: bytes))]) }
                let clock = ManualClock(vault.clock.now().advanced(by: .seconds(400 * 86_400)))
                let catalog = try await SQLiteCatalog.open(path: path)
                let engine = vault.engine(cold: store, catalog: catalog, clock: clock)
                // A catalog may be too broken to be served from; nothing may be lost by trying.
                try? await engine.prepare()
                for _ in 0..<3 {
                    await Reclaimer(engine: engine).round()
                    _ = try? await engine.scrubOnce()
                    clock.advance(by: .seconds(3 * 86_400))
                }
                await Reclaimer(engine: engine).round()
                let left = store.blobs
                for id in truth.live where left[id] != truth.blobs[id] {
                    Issue.record("seed \(seed): the live blob \(id) is gone")
                }
                let record = try #require(truth.vaultRecord)
                #expect(store.ids(containing: "records/vault-").contains { $0 >= record }, "seed \(seed): no record of the vault")
                kept += truth.live.count
                await catalog.close()
                for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
            }
            print("garbage: \(count) incomplete catalogs, \(rowsRemoved) rows removed, \(kept) live blobs looked for")
        }
    }

    /// A vault with everything that ever makes garbage, and what of it is live at the end.
    private static func build(_ vault: TestVault) async throws -> Truth {
        var truth = Truth()
        func copyCatalog() async throws {
            let path = vault.directory + "/moment-\(truth.catalogs.count).sqlite"
            try await vault.catalog.backup(to: path)
            truth.catalogs.append(path)
        }
        _ = try await vault.engine.createAccount(TestVault.account)
        var stored: [String] = []
        for number in 0..<4 { stored.append(try await vault.upload(content(3000 + number, seed: UInt64(number))).archiveID) }
        vault.clock.advance(by: .seconds(60))
        let upload = try await vault.engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "later complete")
        let bytes = content(2 << 20 | 9, seed: 50)
        try await vault.part(upload, at: 0, Array(bytes[..<(1 << 20)]))
        try await copyCatalog()
        // The first part is replaced by the same bytes, the second by others and back.
        try await vault.part(upload, at: 0, Array(bytes[..<(1 << 20)]))
        try await vault.part(upload, at: 1 << 20, content(1 << 20, seed: 51))
        try await copyCatalog()
        try await vault.part(upload, at: 1 << 20, Array(bytes[(1 << 20)..<(2 << 20)]))
        try await vault.part(upload, at: 2 << 20, Array(bytes[(2 << 20)...]))
        stored.append(
            try await vault.engine.completeUpload(
                vault.location, uploadID: upload, size: UInt64(bytes.count), treeHash: naiveTreeHash(bytes)
            ).archiveID)
        vault.clock.advance(by: .seconds(60))
        try await copyCatalog()
        stored.append(try await vault.multipart(content(3 << 20, seed: 60)).archiveID)
        let aborted = try await vault.engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "")
        try await vault.part(aborted, at: 0, content(1 << 20, seed: 61))
        try await vault.engine.abortUpload(vault.location, uploadID: aborted)
        let deleted = try await vault.upload(content(4000, seed: 62))
        try await vault.engine.deleteArchive(vault.location, archiveID: deleted.archiveID)
        try await vault.engine.setVaultCompression(vault.location, "none")
        _ = try await vault.engine.rotateVaultKey(vault.location)
        stored.append(try await vault.upload(content(4500, seed: 63)).archiveID)
        _ = try await vault.engine.rotateMasterKey()
        try await copyCatalog()
        truth.blobs = vault.cold.memory.blobs
        for id in stored {
            let row = try #require(try await vault.row(id))
            let home = try #require(try await vault.catalog.vault(row.vault))
            let manifest = try await ArchiveReader.open(row, in: home, engine: vault.engine).manifest
            for part in manifest.parts { truth.live.insert(try #require(BlobID(part.blob))) }
            truth.live.formUnion(
                vault.cold.memory.ids(containing: "\(row.uid.hex).manifest-").filter { $0.name.hasSuffix("\(row.generation)") })
            truth.vaultRecord = vault.cold.memory.ids(containing: "records/vault-").first { $0.name.hasSuffix("\(home.generation)") }
        }
        return truth
    }

    private static func change(_ path: String, _ body: @Sendable @escaping (Database) throws -> Void) async throws {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try await queue.write { try body($0) }
        try queue.close()
    }

    /// Each table loses nothing, some rows, or all.
    private static func removeRows(_ path: String, _ random: inout SeededGenerator) async throws -> Int {
        let tables = [
            "archives", "uploads", "parts", "doomed", "jobs", "facts", "vault_keys", "vaults", "accounts", "key_references",
        ]
        var chances: [(table: String, percent: Int)] = []
        for table in tables {
            let percent = [0, 0, 10, 50, 100].randomElement(using: &random) ?? 0
            // Without its vaults a catalog knows too little to do harm: not too often.
            let isRare = table == "vaults" || table == "vault_keys"
            if !isRare || Int.random(in: 0..<4, using: &random) == 0 { chances.append((table, percent)) }
        }
        let salt = Int.random(in: 0..<1_000_000, using: &random)
        let plan = chances
        let removed = Count()
        try await change(path) { database in
            for (table, percent) in plan where percent > 0 {
                let rows = try Int.fetchOne(database, sql: "SELECT count(*) FROM \(table)") ?? 0
                for index in stride(from: rows - 1, through: 0, by: -1) where (index &* 7919 &+ salt) % 100 < percent {
                    let key = table == "archives" || table == "jobs" ? "rowid" : try primaryKey(of: table, in: database)
                    try database.execute(
                        sql: "DELETE FROM \(table) WHERE (\(key)) IN (SELECT \(key) FROM \(table) ORDER BY \(key) LIMIT 1 OFFSET \(index))")
                    removed.add(1)
                }
            }
        }
        return removed.value
    }

    private static func primaryKey(of table: String, in database: Database) throws -> String {
        try database.primaryKey(table).columns.joined(separator: ", ")
    }
}

private final class Count: Sendable {
    private let number = Mutex(0)
    var value: Int { number.withLock { $0 } }
    func add(_ more: Int) { number.withLock { $0 += more } }
}
