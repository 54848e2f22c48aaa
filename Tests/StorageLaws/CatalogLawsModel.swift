// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

/// The obvious catalog of archives, to compare with.
private struct ArchiveModel {
    var stored: [VaultUID: [ArchiveUID: ArchiveRow]] = [:]
    var deleted: [ArchiveUID: ArchiveRow] = [:]
    var deleting: Set<VaultUID> = []

    mutating func commit(_ archive: ArchiveRow) -> ArchiveCommit {
        guard !deleting.contains(archive.vault) else { return .vaultGone }
        stored[archive.vault, default: [:]][archive.uid] = archive
        return .stored
    }

    mutating func delete(_ archive: ArchiveRow) -> Bool {
        guard let row = stored[archive.vault]?.removeValue(forKey: archive.uid) else { return false }
        deleted[row.uid] = row
        return true
    }
}

extension CatalogLaw {
    static let models: [CatalogLaw] = [
        CatalogLaw("500 random operations end in the same vaults and archives as in a model") { catalog in
            for seed in 1...4 as ClosedRange<UInt64> { try await replay(seed: seed, on: catalog) }
        },
        CatalogLaw("counts of a vault equal its archives after concurrent commits and deletions") { catalog in
            let seed: UInt64 = 2026
            let furnished = try await FurnishedCatalog(catalog, seed: seed)
            let vault = furnished.vault.uid
            let remaining = try await withThrowingTaskGroup(of: [ArchiveRow].self) { group in
                for worker in 0..<16 {
                    group.addTask {
                        var fixtures = CatalogFixtures(seed: seed &+ UInt64(worker) &* 7919)
                        var mine: [ArchiveRow] = []
                        for step in 0..<60 {
                            if step % 3 == 2, let index = mine.indices.randomElement(using: &fixtures.choices) {
                                let gone = mine.remove(at: index)
                                let deleted = try await catalog.deleteArchive(
                                    gone.uid, at: .now(Int64(step)), purgeAfter: .now(900))
                                #expect(deleted)
                            } else {
                                let archive = fixtures.archive(
                                    in: vault, created: Int64(step), size: UInt64(step * worker))
                                let outcome = try await catalog.commitArchive(archive, from: nil)
                                #expect(outcome == .stored)
                                mine.append(archive)
                            }
                        }
                        return mine
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            let row = try #require(try await catalog.vault(vault))
            #expect(row.archiveCount == UInt64(remaining.count), "seed \(seed)")
            #expect(row.totalBytes == remaining.reduce(0) { $0 + $1.size }, "seed \(seed)")
            let listed = try await catalog.archives(vault: vault, after: nil, from: nil, until: nil, limit: 10_000)
            #expect(Set(listed) == Set(remaining), "seed \(seed)")
            #expect(try await catalog.totals().archives == row.archiveCount)
        },
        CatalogLaw("one caller's failure does not touch those committed together with it") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let vault = furnished.vault.uid
            let taken = try await furnished.storeArchive(size: 1)
            let fresh = (0..<200).map { _ in furnished.fixtures.archive(in: vault, size: 1) }
            try await withThrowingTaskGroup { group in
                for archive in fresh {
                    group.addTask {
                        let outcome = try await catalog.commitArchive(archive, from: nil)
                        #expect(outcome == .stored)
                    }
                    group.addTask {
                        await expectCode(.alreadyExists) { _ = try await catalog.commitArchive(taken, from: nil) }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await catalog.vault(vault)?.archiveCount == UInt64(fresh.count + 1))
            for archive in fresh { #expect(try await catalog.archive(archive.uid) == archive) }
        },
    ]

    private static func replay(seed: UInt64, on catalog: any Catalog) async throws {
        var fixtures = CatalogFixtures(seed: seed)
        var model = ArchiveModel()
        var vaults: [VaultUID] = []
        var archives: [ArchiveRow] = []
        for name in ["a", "b", "c"] {
            let vault = try fixtures.vault("\(name)-\(seed)")
            #expect(try await catalog.createVault(vault, limit: 1000) == .created)
            vaults.append(vault.uid)
        }
        for step in 0..<500 {
            let now = Timestamp.now(Int64(step))
            let vault = try #require(vaults.randomElement(using: &fixtures.choices))
            switch Int.random(in: 0..<100, using: &fixtures.choices) {
            case 0..<50:
                let archive = fixtures.archive(
                    in: vault, created: Int64.random(in: 0..<50, using: &fixtures.choices),
                    size: UInt64.random(in: 0..<1_000_000, using: &fixtures.choices))
                let expected = model.commit(archive)
                #expect(try await catalog.commitArchive(archive, from: nil) == expected, "seed \(seed), step \(step)")
                archives.append(archive)
            case 50..<85:
                guard let archive = archives.randomElement(using: &fixtures.choices) else { continue }
                let expected = model.delete(archive)
                let deleted = try await catalog.deleteArchive(archive.uid, at: now, purgeAfter: now)
                #expect(deleted == expected, "seed \(seed), step \(step)")
            case 85..<98:
                for row in try await catalog.purgeableArchives(at: now, limit: 3) where model.deleted[row.uid] != nil {
                    try await catalog.removeArchive(row.uid)
                    model.deleted[row.uid] = nil
                    #expect(try await catalog.archive(row.uid) == nil, "seed \(seed), step \(step)")
                }
            default:
                let isEmpty = model.stored[vault, default: [:]].isEmpty
                let outcome = try await catalog.beginVaultDeletion(vault)
                if isEmpty { model.deleting.insert(vault) }
                #expect((outcome == .notEmpty) == !isEmpty, "seed \(seed), step \(step)")
            }
        }
        for vault in vaults {
            let expected = model.stored[vault, default: [:]].values.sorted {
                ($0.created, $0.uid) < ($1.created, $1.uid)
            }
            let row = try #require(try await catalog.vault(vault))
            #expect(row.archiveCount == UInt64(expected.count), "seed \(seed)")
            #expect(row.totalBytes == expected.reduce(0) { $0 + $1.size }, "seed \(seed)")
            let listed = try await catalog.archives(vault: vault, after: nil, from: nil, until: nil, limit: 10_000)
            #expect(listed == expected, "seed \(seed)")
        }
    }
}
