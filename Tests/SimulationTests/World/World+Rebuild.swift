// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Foundation
import SQLiteCatalog
import Storage
import StorageLaws
import VaultModel

@testable import VaultEngine

extension World {
    /// Makes a catalog out of nothing but the blobs and the keys, and hands it to `body`, beside an engine over it.
    func withRebuiltCatalog(_ body: (SQLiteCatalog, VaultEngine) async throws -> Void) async throws {
        rebuilds += 1
        count("rebuilds")
        let path = "\(directory)/rebuilt-\(rebuilds).sqlite"
        let pool = Service.pool(self)
        let keyring = try await Service.openKeyring(self)
        let builder = try await SQLiteCatalogBuilder.begin(path: path, pool: pool)
        let report = try await CatalogRebuild(
            store: Service.store(self, "blobs", reserveBytes: 0), keyring: keyring, builder: builder, compute: pool, clock: clock,
            random: random
        ).run()
        check(report.isClean, "the rebuild found damage: \(report.findings.prefix(5))")
        let catalog = try SimulatedCatalog.open(path: path, on: simulator, pool: pool, fate: { .happens })
        do {
            try await body(catalog, Service.engine(self, catalog, keyring))
        } catch {
            violation("the rebuilt catalog: \(error)")
        }
        await catalog.close()
        for ending in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + ending) }
    }

    /// After lives without any trouble: row by row, the rebuilt catalog is the catalog.
    func checkRebuildEquals() async throws {
        let keyring = try await Service.openKeyring(self)
        let catalog = try SimulatedCatalog.open(
            path: "\(directory)/catalog.sqlite", on: simulator, pool: Service.pool(self), fate: { .happens })
        let live = Service.engine(self, catalog, keyring)
        try await withRebuiltCatalog { _, rebuilt in
            // A purge that was refused half-way has hurried the archive's end in the catalog alone: a rebuild knows the grace that was promised.
            let hurried = oracle.purgeTried.subtracting(oracle.purged)
            // Of two completions that raced, the loser's manifest may not have gone yet: it is as good, and a moment younger, and so is then the
            // last change of its vault.
            let raced = archivesWithTwoManifests
            let excused = hurried.union(raced).union(raced.isEmpty ? [] : [": vault "])
            let differences = try await CatalogComparison(live, rebuilt).differences().filter { line in !excused.contains { line.contains($0) } }
            check(differences.isEmpty, "the rebuilt catalog is another:\n\(differences.prefix(12).joined(separator: "\n"))")
            count("rebuilds equal")
        }
        await catalog.close()
    }

    private var archivesWithTwoManifests: Set<String> {
        var manifests: [String: Int] = [:]
        for path in disk.contents.keys {
            guard let name = path.split(separator: "/").last, let dot = name.firstRange(of: ".manifest-") else { continue }
            manifests[String(name[..<dot.lowerBound]), default: 0] += 1
        }
        return Set(manifests.filter { $0.value > 1 }.keys)
    }

    /// After whatever has happened: what was acknowledged is in the rebuilt catalog, and what was deleted is not stored there. It may hold more,
    /// since records come before the commit.
    func checkRebuildKnowsWhatWasAcknowledged() async throws {
        try await withRebuiltCatalog { catalog, engine in
            for archive in oracle.archives(.stored) {
                let row = try await row(of: archive.id, catalog, engine)
                check(
                    row?.state == .stored && row?.size == UInt64(archive.content.count),
                    "n\(archive.attempt) of \(archive.vault) is \(row.map { "\($0.state)" } ?? "absent") after a rebuild")
            }
            for archive in oracle.archives(.deleted) {
                let row = try await row(of: archive.id, catalog, engine)
                check(row?.state != .stored, "n\(archive.attempt) of \(archive.vault) was deleted and is stored after a rebuild")
            }
        }
    }

    private func row(of id: String, _ catalog: SQLiteCatalog, _ engine: VaultEngine) async throws -> ArchiveRow? {
        guard let parsed = engine.keyring.identifiers.parse(id, kind: .archive, account: Self.account) else { return nil }
        return try await catalog.archive(ArchiveUID(words: parsed.uid))
    }
}
