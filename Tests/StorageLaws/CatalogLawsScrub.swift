// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

extension CatalogLaw {
    static let scrubs: [CatalogLaw] = [
        CatalogLaw("archives come to be verified newest first, then oldest verification first") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            var rows: [ArchiveRow] = []
            #expect(try await catalog.oldestUnverified() == nil)
            for created in 1...4 as ClosedRange<Int64> {
                rows.append(try await furnished.storeArchive(created: created * 10))
            }
            #expect(try await catalog.oldestUnverified() == .now(10))
            func page(_ order: ScrubOrder, _ before: Int64, _ limit: Int = 9) async throws -> [ArchiveUID] {
                try await catalog.archivesForScrub(order: order, before: .now(before), limit: limit).map(\.uid)
            }
            #expect(try await page(.newestUnverified, 99) == rows.reversed().map(\.uid))
            #expect(try await page(.newestUnverified, 40, 2) == [rows[2].uid, rows[1].uid])
            #expect(try await page(.oldestVerified, 9999).isEmpty)
            for (index, time) in [(3, 300), (1, 100), (0, 200)] as [(Int, Int64)] {
                let result = ArchiveVerification(
                    uid: rows[index].uid, generation: 4, verified: .now(time), damage: nil)
                #expect(try await catalog.recordVerifications([result], audit: .none).isEmpty)
            }
            #expect(try await page(.newestUnverified, 99) == [rows[2].uid])
            #expect(try await page(.oldestVerified, 300) == [rows[1].uid, rows[0].uid])
            #expect(try await page(.oldestVerified, 301, 1) == [rows[1].uid])
            #expect(try await catalog.oldestUnverified() == .now(30))
            #expect(try await catalog.archive(rows[0].uid)?.verified == .now(200))
            _ = try await catalog.deleteArchive(rows[2].uid, at: .now(400), purgeAfter: .now(500))
            #expect(try await catalog.oldestUnverified() == .now(100))
            #expect(try await page(.newestUnverified, 99).isEmpty)
        },
        CatalogLaw("damage is marked, named and taken back, never for another generation") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let rows = [try await furnished.storeArchive(), try await furnished.storeArchive(created: 11)]
            let abroad = try await furnished.storeArchive(inRegion: "eu-west-1")
            let everything = rows + [abroad]
            func results(_ time: Int64, _ damage: String?, generation: UInt64 = 4) -> [ArchiveVerification] {
                everything.map {
                    ArchiveVerification(uid: $0.uid, generation: generation, verified: .now(time), damage: damage)
                }
            }
            let entries = furnished.fixtures.entries()
            #expect(try await catalog.recordVerifications(results(90, "x", generation: 3), audit: entries).isEmpty)
            #expect(
                try await catalog.recordVerifications(results(100, "part 1 is missing"), audit: entries)
                    == Set(everything.map(\.uid)))
            #expect(try await catalog.recordVerifications(results(200, "part 1 is shorter"), audit: entries).isEmpty)
            #expect(try await catalog.auditHead().sequence == 1)
            let sorted = everything.map(\.uid).sorted()
            let marked = try await catalog.damagedArchives(vault: nil, after: nil, limit: 9)
            #expect(marked.map(\.uid) == sorted)
            #expect(marked.allSatisfy { $0.damage == ArchiveDamage(found: .now(100), reason: "part 1 is shorter") })
            #expect(
                try await catalog.damagedArchives(vault: nil, after: sorted[0], limit: 1).map(\.uid) == [sorted[1]])
            #expect(
                try await catalog.damagedArchives(vault: furnished.vault.uid, after: nil, limit: 9).map(\.uid)
                    == rows.map(\.uid).sorted())
            _ = try await catalog.deleteArchive(rows[0].uid, at: .now(250), purgeAfter: .now(500))
            #expect(
                try await catalog.damagedArchives(vault: furnished.vault.uid, after: nil, limit: 9).map(\.uid)
                    == [rows[1].uid])
            #expect(
                try await catalog.recordVerifications(results(300, nil), audit: .none)
                    == [rows[1].uid, abroad.uid])
            #expect(try await catalog.damagedArchives(vault: nil, after: nil, limit: 9).isEmpty)
        },
        CatalogLaw("blobs that nobody names are remembered until they are named or gone") { catalog in
            let blobs = [
                QuarantinedBlob(store: .cold, blob: "a", found: .now(1), reason: "unnamed"),
                QuarantinedBlob(store: .cold, blob: "b", found: .now(2), reason: "unnamed"),
                QuarantinedBlob(store: .warm, blob: "a", found: .now(3), reason: "unnamed"),
            ]
            try await catalog.putQuarantine(blobs.reversed())
            try await catalog.putQuarantine([
                QuarantinedBlob(store: .cold, blob: "a", found: .now(9), reason: "unnamed")
            ])
            try await catalog.putQuarantine([])
            #expect(try await catalog.quarantine(after: nil, limit: 9) == blobs)
            #expect(try await catalog.quarantine(after: blobs[0], limit: 1) == [blobs[1]])
            try await catalog.removeQuarantine([blobs[1], blobs[1]])
            #expect(try await catalog.quarantine(after: nil, limit: 9) == [blobs[0], blobs[2]])
        },
    ]
}
