// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

extension CatalogLaw {
    static let keys: [CatalogLaw] = [
        CatalogLaw("archives move from one key version to another, and the counts with them") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let vault = furnished.vault.uid
            var rows: [ArchiveRow] = []
            for created in 0..<5 as Range<Int64> { rows.append(try await furnished.storeArchive(created: created)) }
            _ = try await catalog.deleteArchive(rows[1].uid, at: .now(20), purgeAfter: .now(900))
            let old = try await catalog.archivesUnderKey(vault: vault, version: 1, limit: 9)
            #expect(old.map(\.uid) == rows.map(\.uid))
            #expect(old[1].state == .deleted)
            let first = try await catalog.archivesUnderKey(vault: vault, version: 1, limit: 2)
            #expect(first.map(\.uid) == rows.prefix(2).map(\.uid))
            // The fourth changed meanwhile; the fifth's column stays behind.
            let changes = rows.enumerated().map { index, row in
                ArchiveRewrap(
                    uid: row.uid, expectedGeneration: index == 3 ? 3 : row.generation, newGeneration: 9,
                    newKeyVersion: 2, newSealed: furnished.fixtures.sealed(index == 4 ? 1 : 2))
            }
            let entries = furnished.fixtures.entries()
            let moved = try await catalog.rewrapArchives(changes, audit: entries)
            #expect(moved == Set(rows.map(\.uid)).subtracting([rows[3].uid]))
            #expect(try await catalog.auditHead().sequence == 1)
            #expect(
                try await catalog.archivesUnderKey(vault: vault, version: 1, limit: 9).map(\.uid)
                    == [rows[3].uid, rows[4].uid])
            // The settings of the vault are under version 2, too.
            #expect(try await catalog.keyReferences().vaults == [vault: [1: 2, 2: 5]])
            let row = try #require(try await catalog.archive(rows[0].uid))
            #expect((row.generation, row.keyVersion, row.sealed) == (9, 2, changes[0].newSealed))
            #expect(try await catalog.rewrapArchives(changes, audit: entries).isEmpty)
            #expect(try await catalog.auditHead().sequence == 1)
        },
        CatalogLaw("an open upload moves with its parts, unless a part came meanwhile") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let vault = furnished.vault.uid
            let (upload, parts) = try await furnished.openUpload(parts: 3)
            var versions: [UInt32: UInt64]? {
                get async throws {
                    let references = try await catalog.keyReferences()
                    return references.vaults[vault]
                }
            }
            #expect(try await versions == [1: 1, 2: 1, 7: 3])
            for version in [1, 7] as [UInt32] {
                #expect(
                    try await catalog.uploadsUnderKey(vault: vault, version: version, limit: 9).map(\.uid)
                        == [upload.uid])
            }
            func change(revision: UInt64, _ parts: [PartRow]) -> UploadRewrap {
                UploadRewrap(
                    uid: upload.uid, expectedGeneration: upload.generation, expectedRevision: revision,
                    newGeneration: 5, newKeyVersion: 3, newWrappedDataKey: [1, 2, 3],
                    newSealed: SealedColumnValue(keyVersion: 3, bytes: [4]),
                    newParts: Dictionary(
                        uniqueKeysWithValues: parts.map {
                            ($0.index, SealedColumnValue(keyVersion: 3, bytes: [UInt8($0.index)]))
                        }))
            }
            #expect(try await !catalog.rewrapUpload(change(revision: 2, parts), audit: .none))
            #expect(try await catalog.rewrapUpload(change(revision: 3, parts), audit: .none))
            #expect(try await versions == [2: 1, 3: 4])
            let row = try #require(try await catalog.upload(upload.uid))
            #expect((row.generation, row.keyVersion, row.wrappedDataKey) == (5, 3, [1, 2, 3]))
            #expect(try await catalog.part(upload.uid, index: 2)?.sealed.bytes == [2])
            // A part sent again takes its reference with it; the end of the upload takes all.
            let again = furnished.fixtures.part(of: upload.uid, 0, number: 2)
            #expect(try await catalog.commitPart(again, at: .now(30)) == .stored)
            #expect(try await versions == [2: 1, 3: 3, 7: 1])
            _ = try await catalog.abortUpload(upload.uid, generation: 6, at: .now(40))
            #expect(try await versions == [2: 1])
            #expect(try await !catalog.rewrapUpload(change(revision: 4, []), audit: .none))
        },
        CatalogLaw("jobs and staged outputs count for the key of their columns and can be resealed") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let vault = furnished.vault.uid
            let job = try furnished.fixtures.retrieval(of: archive)
            let staged = furnished.fixtures.staged(for: job)
            let done = try await furnished.succeed(job, expires: 5000, staged: staged)
            #expect(try await catalog.keyReferences().vaults == [vault: [1: 1, 2: 1, 7: 1, 8: 1]])
            #expect(try await catalog.jobsUnderKey(vault: vault, version: 8, limit: 9).map(\.uid) == [done.uid])
            #expect(try await catalog.stagedUnderKey(vault: vault, version: 7, limit: 9) == [staged])
            let fresh = furnished.fixtures.sealed(9)
            let jobs = [Reseal(uid: job.uid, old: done.sealed, new: fresh)]
            #expect(try await catalog.resealJobs(jobs) == [job.uid])
            #expect(try await catalog.resealJobs(jobs).isEmpty)
            #expect(
                try await catalog.resealStaged([Reseal(uid: staged.uid, old: staged.sealed, new: fresh)])
                    == [staged.uid])
            #expect(try await catalog.job(job.uid)?.sealed == fresh)
            #expect(try await catalog.staged(staged.uid)?.sealed == fresh)
            #expect(try await catalog.keyReferences().vaults == [vault: [1: 1, 2: 1, 9: 2]])
            _ = try await catalog.expireJobs(at: .now(9000), limit: 9)
            #expect(try await catalog.keyReferences().vaults == [vault: [1: 1, 2: 1]])
        },
        CatalogLaw("the destruction of a key version waits for its last reference") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let names: [KeyVersionName] = [
                .master(version: 2), .master(version: 10), .vault(furnished.vault.uid, version: 1),
            ]
            for name in names.reversed() {
                try await catalog.putKeyDestruction(
                    KeyDestructionRow(key: name, certified: .now(1), certificate: "{}"), audit: .none)
            }
            #expect(try await catalog.keyDestructions(after: nil, limit: 9).map(\.key) == names)
            #expect(try await catalog.keyDestructions(after: names[0], limit: 1).map(\.key) == [names[1]])
            let name = names[2]
            await expectCode(.notFound) {
                try await catalog.finishKeyDestruction(name, at: .now(3), receipt: nil, audit: .none)
            }
            let asked = KeyDestructionRow(
                key: name, certified: .now(1), certificate: "{}", requested: .now(2), due: .now(3))
            try await catalog.putKeyDestruction(asked, audit: .none)
            #expect(try await catalog.keyDestruction(name) == asked)
            await expectCode(.conflict) {
                try await catalog.finishKeyDestruction(name, at: .now(3), receipt: nil, audit: .none)
            }
            #expect(try await catalog.cancelKeyDestruction(name, audit: .none))
            #expect(try await !catalog.cancelKeyDestruction(name, audit: .none))
            #expect(try await catalog.keyDestruction(name)?.due == nil)
            try await catalog.putKeyDestruction(asked, audit: .none)
            _ = try await catalog.deleteArchive(archive.uid, at: .now(4), purgeAfter: .now(4))
            try await catalog.removeArchive(archive.uid)
            let entries = furnished.fixtures.entries()
            try await catalog.finishKeyDestruction(name, at: .now(5), receipt: "{1}", audit: entries)
            try await catalog.finishKeyDestruction(name, at: .now(6), receipt: "{2}", audit: entries)
            #expect(try await catalog.keyDestruction(name)?.finished == .now(5))
            #expect(try await catalog.keyDestruction(name)?.receipt == "{1}")
            #expect(try await catalog.auditHead().sequence == 1)
            #expect(try await !catalog.cancelKeyDestruction(name, audit: .none))
        },
        CatalogLaw("a deleted archive is purgeable at once when told so, unless an output needs it") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let free = try await furnished.storeArchive()
            let pinned = try await furnished.storeArchive()
            _ = try await furnished.succeed(try furnished.fixtures.retrieval(of: pinned), expires: 5000)
            #expect(try await catalog.purgeNow(free.uid, at: .now(200), audit: .none) == .notDeleted)
            for archive in [free, pinned] {
                _ = try await catalog.deleteArchive(archive.uid, at: .now(200), purgeAfter: .now(9000))
            }
            #expect(try await catalog.purgeableArchives(at: .now(300), limit: 9).isEmpty)
            #expect(try await catalog.purgeNow(free.uid, at: .now(300), audit: .none) == .due(outputs: []))
            #expect(try await catalog.purgeNow(pinned.uid, at: .now(300), audit: .none) == .pinned(until: .now(5000)))
            #expect(try await catalog.purgeableArchives(at: .now(300), limit: 9).map(\.uid) == [free.uid])
            #expect(
                try await catalog.purgeableArchives(at: .now(5000), limit: 9).map(\.uid) == [free.uid, pinned.uid])
            try await catalog.truncateLog()
        },
    ]
}
