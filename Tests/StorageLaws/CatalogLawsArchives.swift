// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

extension CatalogLaw {
    static let archives: [CatalogLaw] = [
        CatalogLaw("a committed archive is read back whole and counted, and only once") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive(created: 15, size: 4096)
            #expect(try await catalog.archive(archive.uid) == archive)
            await expectCode(.alreadyExists) { _ = try await catalog.commitArchive(archive, from: nil) }
            let empty = try await furnished.storeArchive(created: 12, size: 0)
            #expect(try await catalog.archive(empty.uid) == empty)
            let vault = try #require(try await catalog.vault(furnished.vault.uid))
            #expect(vault.archiveCount == 2)
            #expect(vault.totalBytes == 4096)
            #expect(vault.lastChange == .now(15))
        },
        CatalogLaw("completing an upload closes it at the revision the caller saw") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let (upload, parts) = try await furnished.openUpload(parts: 2)
            var archive = furnished.fixtures.archive(in: furnished.vault.uid, created: 90)
            #expect(try await catalog.commitArchive(archive, from: (upload.uid, 1)) == .uploadChanged)
            #expect(try await catalog.upload(upload.uid)?.state == .open)
            #expect(try await catalog.commitArchive(archive, from: (upload.uid, 2)) == .stored)
            #expect(try await catalog.upload(upload.uid)?.state == .completed)
            #expect(try await catalog.parts(upload.uid, from: 0, limit: 10).isEmpty)
            #expect(try await catalog.uploads(vault: furnished.vault.uid, after: nil, limit: 10).isEmpty)
            // The parts are the archive's now.
            #expect(
                try await furnished.doomed().isDisjoint(
                    with: parts.map { DoomedBlob(id: $0.blob, store: .cold, notBefore: .now(11)) }))
            #expect(try await furnished.doomed().isEmpty)
            archive = furnished.fixtures.archive(in: furnished.vault.uid)
            #expect(try await catalog.commitArchive(archive, from: (upload.uid, 2)) == .uploadClosed(.completed))
            let (other, _) = try await furnished.openUpload()
            _ = try await catalog.abortUpload(other.uid, generation: 2, at: .now(20))
            #expect(try await catalog.commitArchive(archive, from: (other.uid, 0)) == .uploadClosed(.aborted))
            #expect(try await catalog.archive(archive.uid) == nil)
            #expect(try await catalog.vault(furnished.vault.uid)?.archiveCount == 1)
            let late = archive
            let unknown: UploadUID = furnished.fixtures.choices.uid()
            await expectCode(.notFound) { _ = try await catalog.commitArchive(late, from: (unknown, 0)) }
        },
        CatalogLaw("a failed commit leaves the upload open") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let (upload, _) = try await furnished.openUpload(parts: 1)
            await expectCode(.alreadyExists) { _ = try await catalog.commitArchive(archive, from: (upload.uid, 1)) }
            #expect(try await catalog.upload(upload.uid)?.state == .open)
            #expect(try await catalog.parts(upload.uid, from: 0, limit: 10).count == 1)
            #expect(try await catalog.vault(furnished.vault.uid)?.archiveCount == 1)
        },
        CatalogLaw(
            "archives page by creation and uid, through ties, with a window that includes its start and not its end"
        ) { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            var stored: [ArchiveRow] = []
            for created: Int64 in [30, 10, 20, 20, 20, 40, 20, 50] {
                stored.append(try await furnished.storeArchive(created: created))
            }
            let ordered = stored.sorted { ($0.created, $0.uid) < ($1.created, $1.uid) }
            let vault = furnished.vault.uid
            var walked: [ArchiveRow] = []
            var position: ArchivePosition?
            while true {
                let page = try await catalog.archives(vault: vault, after: position, from: nil, until: nil, limit: 3)
                guard let last = page.last, walked.count < 100 else { break }
                walked += page
                position = ArchivePosition(created: last.created, uid: last.uid)
            }
            #expect(walked == ordered)
            let window = try await catalog.archives(
                vault: vault, after: nil, from: .now(20), until: .now(40), limit: 100)
            #expect(window == ordered.filter { $0.created >= .now(20) && $0.created < .now(40) })
            let inside = ArchivePosition(created: ordered[2].created, uid: ordered[2].uid)
            let rest = try await catalog.archives(
                vault: vault, after: inside, from: .now(20), until: .now(31), limit: 100)
            #expect(rest == Array(ordered[3...5]))
            let early = ArchivePosition(created: ordered[0].created, uid: ordered[0].uid)
            #expect(
                try await catalog.archives(vault: vault, after: early, from: .now(30), until: nil, limit: 1) == [
                    ordered[5]
                ])
            #expect(try await catalog.archives(vault: vault, after: nil, from: .now(51), until: nil, limit: 9).isEmpty)
            #expect(try await catalog.archives(vault: vault, after: nil, from: nil, until: .now(10), limit: 9).isEmpty)
            #expect(
                try await catalog.archives(
                    vault: furnished.fixtures.choices.uid(), after: nil, from: nil, until: nil, limit: 9
                ).isEmpty)
        },
        CatalogLaw("an archive is deleted once, leaves every list and count, and keeps its row") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive(size: 100)
            let kept = try await furnished.storeArchive(size: 11)
            #expect(try await catalog.deleteArchive(archive.uid, at: .now(70), purgeAfter: .now(90)))
            #expect(try await !catalog.deleteArchive(archive.uid, at: .now(71), purgeAfter: .now(91)))
            #expect(
                try await !catalog.deleteArchive(furnished.fixtures.choices.uid(), at: .now(71), purgeAfter: .now(91)))
            let row = try #require(try await catalog.archive(archive.uid))
            #expect(row.state == .deleted)
            #expect(row.deleted == .now(70))
            #expect(row.purgeAfter == .now(90))
            #expect(
                try await catalog.archives(vault: archive.vault, after: nil, from: nil, until: nil, limit: 9) == [kept])
            let vault = try #require(try await catalog.vault(archive.vault))
            #expect(vault.archiveCount == 1)
            #expect(vault.totalBytes == 11)
            #expect(vault.lastChange == .now(70))
        },
    ]

    static let archivePurges: [CatalogLaw] = [
        CatalogLaw("an archive is deleted only while its vault is at the generation that was judged") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            func delete(_ uid: ArchiveUID, _ generation: UInt64?) async throws -> ArchiveDeletion {
                try await catalog.deleteArchive(uid, at: .now(20), purgeAfter: .now(30), vaultGeneration: generation)
            }
            var locked = furnished.vault
            locked.generation = 7
            locked.settings = furnished.fixtures.sealed()
            try await catalog.updateVault(locked, expectedGeneration: 1)
            for stale: UInt64 in [1, 6, 8] { #expect(try await delete(archive.uid, stale) == .vaultChanged) }
            #expect(try await catalog.archive(archive.uid) == archive)
            #expect(try await delete(archive.uid, 7) == .deleted)
            #expect(try await delete(archive.uid, 7) == .alreadyDeleted)
            #expect(try await delete(furnished.fixtures.choices.uid(), 7) == .alreadyDeleted)
            let other = try await furnished.storeArchive()
            #expect(try await delete(other.uid, nil) == .deleted)
            #expect(try await catalog.vault(locked.uid)?.archiveCount == 0)
        },
        CatalogLaw("of a deletion and a change of the vault at the same time, the deletion is first or does not happen")
        {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            var vault = furnished.vault
            for round in 0..<50 as Range<UInt64> {
                let (archive, next) = (try await furnished.storeArchive(), try await furnished.storeArchive())
                let judged = vault.generation
                vault.generation += 1
                let changed = vault
                async let update: Void = catalog.updateVault(changed, expectedGeneration: judged)
                async let deletion = catalog.deleteArchive(
                    archive.uid, at: .now(20), purgeAfter: .now(30), vaultGeneration: judged)
                try await update
                let outcome = try await deletion
                let state = try await catalog.archive(archive.uid)?.state
                #expect(outcome == (state == .stored ? .vaultChanged : .deleted), "round \(round)")
                // Whichever came first, the change is made: what was judged before it no longer holds.
                let late = try await catalog.deleteArchive(
                    next.uid, at: .now(20), purgeAfter: .now(30), vaultGeneration: judged)
                #expect(late == .vaultChanged, "round \(round)")
            }
        },
        CatalogLaw("a deleted archive is purgeable when its grace has ended, in order, and gone after its removal") {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let (late, soon) = (try await furnished.storeArchive(), try await furnished.storeArchive())
            #expect(try await catalog.deleteArchive(late.uid, at: .now(20), purgeAfter: .now(90)))
            #expect(try await catalog.deleteArchive(soon.uid, at: .now(20), purgeAfter: .now(50)))
            #expect(try await catalog.purgeableArchives(at: .now(49), limit: 10).isEmpty)
            #expect(try await catalog.purgeableArchives(at: .now(50), limit: 10).map(\.uid) == [soon.uid])
            #expect(try await catalog.purgeableArchives(at: .now(95), limit: 10).map(\.uid) == [soon.uid, late.uid])
            #expect(try await catalog.purgeableArchives(at: .now(95), limit: 1).map(\.uid) == [soon.uid])
            await expectCode(.conflict) {
                try await catalog.removeArchive(soon.uid, expectedGeneration: soon.generation + 1, audit: .none)
            }
            #expect(try await catalog.archive(soon.uid)?.generation == soon.generation)
            for _ in 0..<2 { try await catalog.removeArchive(soon.uid) }
            #expect(try await catalog.archive(soon.uid) == nil)
            #expect(try await catalog.purgeableArchives(at: .now(95), limit: 10).map(\.uid) == [late.uid])
            let stored = try await furnished.storeArchive()
            await expectCode(.conflict) { try await catalog.removeArchive(stored.uid) }
        },
        CatalogLaw("an unexpired output in place holds back the purge; a staged, failed or unfinished one does not") {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let pinned = try await furnished.storeArchive()
            _ = try await furnished.succeed(try furnished.fixtures.retrieval(of: pinned), expires: 500)
            _ = try await furnished.succeed(try furnished.fixtures.retrieval(of: pinned), expires: 400)
            let free = try await furnished.storeArchive()
            let stagedJob = try furnished.fixtures.retrieval(of: free)
            _ = try await furnished.succeed(stagedJob, expires: 900, staged: furnished.fixtures.staged(for: stagedJob))
            #expect(try await catalog.insertJob(try furnished.fixtures.retrieval(of: free)))
            for archive in [pinned, free] {
                #expect(try await catalog.deleteArchive(archive.uid, at: .now(100), purgeAfter: .now(200)))
            }
            #expect(try await catalog.purgeableArchives(at: .now(300), limit: 10).map(\.uid) == [free.uid])
            #expect(try await catalog.purgeableArchives(at: .now(499), limit: 10).map(\.uid) == [free.uid])
            #expect(
                Set(try await catalog.purgeableArchives(at: .now(500), limit: 10).map(\.uid)) == [free.uid, pinned.uid])
        },
    ]
}
