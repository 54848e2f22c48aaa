// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Foundation
import Logging
import NIOCore
import SQLiteCatalog
import SealedArchive
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Checkpoints: a catalog or a blob area that was put back behind the service's back is named at the start.
@Suite struct CheckpointTests {
    @Test func aCheckpointIsSignedAndNamesTheLog() async throws {
        try await withVault { vault in
            try await vault.upload([1])
            let first = try await vault.engine.checkpoint(.backup)
            let second = try await vault.engine.checkpoint(.operator)
            #expect((first.generation, second.generation) == (1, 2))
            #expect(second.previous == first.hash)
            #expect(try await vault.catalog.auditHead() == second.audit)
            let statement = try SignedStatement(
                decoding: second.statement, signedBy: vault.keyring.signingPublicKey)
            #expect(statement.body["counts"]?["archives"]?.integerValue == 1)
            #expect(try await vault.engine.listCheckpoints() == [first, second])
        }
    }

    @Test func theNewestAndTheFirstOfEachMonthStay() async throws {
        try await withVault { vault in
            for _ in 0..<40 {
                try await vault.engine.checkpoint(.interval)
                vault.clock.advance(by: .seconds(3 * 86_400))
                for blob in try await vault.catalog.doomedBlobs(at: vault.clock.now(), limit: 100) {
                    if let id = BlobID(blob.id) { try await vault.cold.delete(id) }
                    try await vault.catalog.forgetDoomed([blob])
                }
            }
            let kept = try await vault.engine.listCheckpoints()
            #expect(kept.suffix(16).map(\.generation) == Array(25...40))
            let months = kept.dropLast(16).map { String($0.created.iso8601Seconds.prefix(7)) }
            #expect(months == Array(Set(months)).sorted() && months.count >= 2)
        }
    }

    /// Starts an engine over `catalog` and says what it found.
    private func state(_ vault: TestVault, over catalog: SQLiteCatalog) async throws -> HistoryState {
        let engine = vault.engine(over: catalog, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await engine.compareHistories()
        return engine.historyState()
    }

    @Test func anOlderCatalogIsNamedAndNothingIsRemovedUntilConfirmed() async throws {
        try await withVault { vault in
            _ = try await vault.engine.checkpoint(.start)
            let path = vault.directory + "/older.sqlite"
            try await vault.catalog.backup(to: path)
            #expect(try await state(vault, over: vault.catalog) == .consistent)
            try await vault.upload([1])
            _ = try await vault.engine.checkpoint(.interval)
            _ = try await vault.engine.checkpoint(.stop)
            #expect(try await state(vault, over: vault.catalog) == .consistent)
            let older = try await SQLiteCatalog.open(path: path)
            let engine = vault.engine(over: older, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            try await engine.prepare()
            #expect(engine.historyState() == .catalogRolledBack(catalog: 1, blobs: 3))
            await expectRefusal(.unavailable, "rolled back") { _ = try await engine.checkpoint(.backup) }
            // The log goes on after what the segments hold, and says so.
            let actions = try await engine.auditPage(AuditQuery(action: "service:ContinueLog")).entries
            #expect(actions.count == 1)
            let confirmed = try await engine.confirmHistory()
            #expect(confirmed.generation == 4)
            #expect(engine.historyState() == .consistent)
            #expect(try await state(vault, over: older) == .consistent)
            #expect(try await engine.verifyAudit().faults == [])
            // The catalog that was replaced is now the one behind.
            #expect(try await state(vault, over: vault.catalog) == .catalogRolledBack(catalog: 3, blobs: 4))
            await older.close()
        }
    }

    @Test func anOlderBlobAreaIsNamed() async throws {
        let blobs = MemoryBlobStore()
        try await withVault({ $0.cold = blobs }) { vault in
            _ = try await vault.engine.checkpoint(.start)
            _ = try await vault.engine.checkpoint(.stop)
            let newest = try blobID(BlobName.checkpoint(generation: 2).text)
            let size = try #require(try await blobs.size(of: newest))
            let bytes = Array(try await blobs.read(newest, range: 0..<size).readableBytesView)
            blobs.overwrite(newest, with: nil)
            #expect(try await state(vault, over: vault.catalog) == .blobsRolledBack(catalog: 2, blobs: 1))
            blobs.overwrite(try blobID(BlobName.checkpoint(generation: 1).text), with: nil)
            #expect(try await state(vault, over: vault.catalog) == .blobsRolledBack(catalog: 2, blobs: 0))
            var flipped = bytes
            flipped[80] ^= 1
            blobs.overwrite(newest, with: flipped)
            #expect(try await state(vault, over: vault.catalog) == .differentHistories(generation: 2))
            blobs.overwrite(newest, with: bytes)
            #expect(try await state(vault, over: vault.catalog) == .consistent)
        }
    }

    @Test func aCrashBetweenTheStepsIsNoRollback() {
        let old = CheckpointMark(generation: 4, hash: "a")
        let new = CheckpointMark(generation: 5, hash: "b")
        let cases: [(CheckpointMark, CheckpointMark?, CheckpointMark, Bool)] = [
            (.none, nil, .none, true), (old, nil, old, true), (old, new, old, true), (old, new, new, true),
            (new, new, new, true), (old, nil, new, false), (old, CheckpointMark(generation: 5, hash: "c"), new, false),
            (new, new, old, false), (.none, nil, new, false), (new, nil, .none, false),
            (new, nil, CheckpointMark(generation: 5, hash: "c"), false),
        ]
        for (catalog, pending, blobs, isConsistent) in cases {
            let found = CheckpointMark.judge(catalog: catalog, pending: pending, blobs: blobs)
            #expect(found.isConsistent == isConsistent, "\(catalog) \(String(describing: pending)) \(blobs)")
        }
    }
}
