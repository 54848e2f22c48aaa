// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

extension CatalogLaw {
    static let jobOutcomes: [CatalogLaw] = [
        CatalogLaw("finishing writes the outcome once, and a finished job never changes again") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let job = try furnished.fixtures.retrieval(of: archive)
            let finished = try await furnished.succeed(job, expires: 500)
            let row = try #require(try await catalog.job(job.uid))
            var expected = finished
            expected.leaseEpoch = nil
            expected.leaseUntil = nil
            #expect(row == expected)
            let epoch = try await catalog.beginEpoch()
            #expect(try await catalog.runnableJobs(at: .now(10_000), limit: 9).isEmpty)
            #expect(
                try await catalog.claimJobs(
                    like: job.uid, epoch: epoch, at: .now(10_000), leaseUntil: .now(20_000), limit: 9
                ).isEmpty)
            #expect(try await catalog.renewLeases([job.uid], epoch: epoch, leaseUntil: .now(20_000)).isEmpty)
            try await catalog.releaseJobs([job.uid], epoch: epoch)
            let other = furnished.fixtures.finished(finished, as: .failed)
            for claimed in [epoch, epoch - 1] {
                #expect(try await catalog.finishJob(other, epoch: claimed, staged: nil) == .leaseLost)
            }
            #expect(try await catalog.deleteArchive(archive.uid, at: .now(110), purgeAfter: .now(120)))
            #expect(try await catalog.job(job.uid) == row)
            #expect(try await catalog.expireJobs(at: .now(499), limit: 9) == 0)
            #expect(try await catalog.job(job.uid) == row)
        },
        CatalogLaw("a retrieval of an archive deleted meanwhile cannot succeed, in place or staged, but can fail") {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let job = try furnished.fixtures.retrieval(of: archive)
            #expect(try await catalog.insertJob(job))
            let epoch = try await catalog.beginEpoch()
            let held = try #require(
                try await catalog.claimJobs(like: job.uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 1)
                    .first)
            #expect(try await catalog.deleteArchive(archive.uid, at: .now(55), purgeAfter: .now(60)))
            let staged = furnished.fixtures.staged(for: job)
            let inPlace = furnished.fixtures.finished(held)
            let warm = furnished.fixtures.finished(held, staged: staged.uid)
            #expect(try await catalog.finishJob(inPlace, epoch: epoch, staged: nil) == .archiveDeleted)
            #expect(try await catalog.finishJob(warm, epoch: epoch, staged: staged) == .archiveDeleted)
            #expect(try await catalog.staged(staged.uid) == nil)
            #expect(try await catalog.job(job.uid) == held)
            let failed = furnished.fixtures.finished(held, as: .failed)
            #expect(try await catalog.finishJob(failed, epoch: epoch, staged: nil) == .finished)
            #expect(try await catalog.job(job.uid)?.state == .failed)
        },
        CatalogLaw(
            "a staged object is inserted once, shared, found by its range, and doomed with the last job that needs it"
        ) { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let range = try #require(ByteRange.whole(size: archive.size))
            let jobs = [try furnished.fixtures.retrieval(of: archive), try furnished.fixtures.retrieval(of: archive)]
            let staged = furnished.fixtures.staged(for: jobs[0])
            #expect(try await catalog.staged(archive: archive.uid, range: range) == nil)
            _ = try await furnished.succeed(jobs[0], expires: 500, staged: staged)
            #expect(try await catalog.staged(staged.uid) == staged)
            #expect(try await catalog.staged(archive: archive.uid, range: range) == staged)
            let narrow = try #require(ByteRange(first: 0, last: range.last - 1))
            #expect(try await catalog.staged(archive: archive.uid, range: narrow) == nil)
            _ = try await furnished.succeed(jobs[1], expires: 700, staged: staged)
            #expect(try await catalog.expireJobs(at: .now(500), limit: 9) == 1)
            #expect(try await catalog.job(jobs[0].uid) == nil)
            #expect(try await catalog.staged(staged.uid) == staged)
            #expect(try await furnished.doomed().isEmpty)
            #expect(try await catalog.expireJobs(at: .now(700), limit: 9) == 1)
            #expect(try await catalog.staged(staged.uid) == nil)
            #expect(try await catalog.staged(archive: archive.uid, range: range) == nil)
            #expect(try await furnished.doomed() == [DoomedBlob(id: staged.blob, store: .warm, notBefore: .now(700))])
        },
        CatalogLaw("a job cannot succeed with a staged object that has gone meanwhile") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let first = try furnished.fixtures.retrieval(of: archive)
            let staged = furnished.fixtures.staged(for: first)
            _ = try await furnished.succeed(first, expires: 500, staged: staged)
            let second = try furnished.fixtures.retrieval(of: archive)
            #expect(try await catalog.insertJob(second))
            let epoch = try await catalog.beginEpoch()
            let held = try #require(
                try await catalog.claimJobs(
                    like: second.uid, epoch: epoch, at: .now(50), leaseUntil: .now(900), limit: 1
                ).first)
            #expect(try await catalog.expireJobs(at: .now(500), limit: 9) == 1)
            let finished = furnished.fixtures.finished(held, staged: staged.uid)
            await expectCode(.conflict) { _ = try await catalog.finishJob(finished, epoch: epoch, staged: nil) }
            #expect(try await catalog.job(second.uid) == held)
            #expect(try await furnished.doomed().count == 1)
        },
        CatalogLaw("jobs expire in order of expiry, at most as many as asked for, and unfinished ones never") {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let vault = furnished.vault.uid
            let queued = try furnished.fixtures.inventory(of: vault)
            #expect(try await catalog.insertJob(queued))
            var finished: [JobRow] = []
            for expires: Int64 in [300, 200, 400] {
                finished.append(
                    try await furnished.succeed(try furnished.fixtures.inventory(of: vault), expires: expires))
            }
            #expect(try await catalog.expireJobs(at: .now(199), limit: 9) == 0)
            #expect(try await catalog.expireJobs(at: .now(900), limit: 2) == 2)
            #expect(try await catalog.job(finished[0].uid) == nil)
            #expect(try await catalog.job(finished[1].uid) == nil)
            #expect(try await catalog.job(finished[2].uid) != nil)
            #expect(try await catalog.expireJobs(at: .now(900), limit: 9) == 1)
            #expect(try await catalog.job(queued.uid) != nil)
        },
    ]

    static let service: [CatalogLaw] = [
        CatalogLaw("doomed blobs come due in order and are forgotten by name and store") { catalog in
            let blobs = [
                DoomedBlob(id: "b", store: .cold, notBefore: .now(30)),
                DoomedBlob(id: "a", store: .cold, notBefore: .now(20)),
                DoomedBlob(id: "a", store: .warm, notBefore: .now(40)),
            ]
            try await catalog.doom(blobs)
            #expect(try await catalog.doomedBlobs(at: .now(19), limit: 9).isEmpty)
            #expect(try await catalog.doomedBlobs(at: .now(30), limit: 9) == [blobs[1], blobs[0]])
            #expect(try await catalog.isDoomed(blobs[2].id, in: blobs[2].store))
            #expect(try await !catalog.isDoomed("never-doomed", in: .cold))
            #expect(try await catalog.doomedBlobs(at: .now(99), limit: 2) == [blobs[1], blobs[0]])
            try await catalog.forgetDoomed([blobs[1]])
            #expect(try await catalog.doomedBlobs(at: .now(99), limit: 9) == [blobs[0], blobs[2]])
            // Doomed again: the earlier time stands.
            try await catalog.doom([DoomedBlob(id: "b", store: .cold, notBefore: .now(90))])
            try await catalog.doom([DoomedBlob(id: "a", store: .warm, notBefore: .now(10))])
            #expect(
                try await catalog.doomedBlobs(at: .now(99), limit: 9)
                    == [DoomedBlob(id: "a", store: .warm, notBefore: .now(10)), blobs[0]])
            try await catalog.doom([])
            try await catalog.forgetDoomed(blobs)
            #expect(try await catalog.doomedBlobs(at: .now(99), limit: 9).isEmpty)
        },
        CatalogLaw("an announced record goes with the commit it stands behind, stays named without one, and is needed for it") {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = furnished.fixtures.archive(in: furnished.vault.uid, keyVersion: 2)
            #expect(try await catalog.commitArchive(archive, from: nil) == .stored)
            let record = AnnouncedRecord(blob: "deletion-1", subject: .deletion(of: archive.uid))
            #expect(try await catalog.announce(record) == .announced)
            #expect(try await catalog.announce(record) == .announced)
            #expect(try await catalog.announcedRecords(limit: 9).map(\.id) == ["deletion-1"])
            #expect(try await catalog.isDoomed("deletion-1", in: .cold))
            #expect(try await catalog.doomedBlobs(at: .now(1 << 40), limit: 9).isEmpty)
            // Given up meanwhile: no commit may count on it, and its name is nobody's.
            try await catalog.doom([DoomedBlob(id: "deletion-1", store: .cold, notBefore: .now(30))])
            await expectCode(.conflict) {
                _ = try await catalog.deleteArchive(
                    archive.uid, at: .now(20), purgeAfter: .now(30), vaultGeneration: nil, record: "deletion-1", audit: .none)
            }
            #expect(try await catalog.archive(archive.uid)?.state == .stored)
            #expect(try await catalog.announce(record) == .nameTaken)
            let second = AnnouncedRecord(blob: "deletion-2", subject: .deletion(of: archive.uid))
            #expect(try await catalog.announce(second) == .announced)
            #expect(
                try await catalog.deleteArchive(
                    archive.uid, at: .now(20), purgeAfter: .now(30), vaultGeneration: nil, record: "deletion-2", audit: .none)
                    == .deleted)
            #expect(try await catalog.announcedRecords(limit: 9).isEmpty)
            #expect(try await !catalog.isDoomed("deletion-2", in: .cold))
            #expect(try await catalog.announce(second) == .settled)
            let upload = furnished.fixtures.upload(in: furnished.vault.uid, keyVersion: 2)
            #expect(try await catalog.insertUpload(upload))
            #expect(try await catalog.announce(AnnouncedRecord(blob: "abort-2", subject: .abort(of: upload.uid))) == .announced)
            #expect(
                try await catalog.abortUpload(upload.uid, generation: 2, at: .now(40), record: "abort-2", audit: .none) == .aborted)
            #expect(try await catalog.announcedRecords(limit: 9).isEmpty)
            #expect(try await catalog.announce(AnnouncedRecord(blob: "abort-3", subject: .abort(of: upload.uid))) == .settled)
        },
        CatalogLaw("facts are kept and replaced") { catalog in
            #expect(try await catalog.fact("clock") == nil)
            try await catalog.setFact("clock", "1")
            try await catalog.setFact("clock", "2")
            #expect(try await catalog.fact("clock") == "2")
            #expect(try await catalog.fact("Clock") == nil)
        },
        CatalogLaw("key references count every row that needs the key, through its whole life") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let vault = furnished.vault.uid
            try await catalog.putAccount(
                try furnished.fixtures.account(1, master: 1), accessKeys: [], expectedGeneration: nil)
            try await catalog.putAccount(
                try furnished.fixtures.account(2, master: 2), accessKeys: [], expectedGeneration: nil)
            var versions: [UInt32: UInt64] {
                // The settings of the vault hang on version 2 throughout.
                get async throws { try await catalog.keyReferences().vaults[vault] ?? [:] }
            }
            #expect(try await catalog.keyReferences() == KeyReferences(master: [1: 2, 2: 1], vaults: [vault: [2: 1]]))
            let old = furnished.fixtures.archive(in: vault, keyVersion: 1)
            let new = furnished.fixtures.archive(in: vault, keyVersion: 2)
            for archive in [old, new] { #expect(try await catalog.commitArchive(archive, from: nil) == .stored) }
            let uploads = (0..<2).map { _ in furnished.fixtures.upload(in: vault, keyVersion: 2) }
            for upload in uploads { #expect(try await catalog.insertUpload(upload)) }
            #expect(try await versions == [1: 1, 2: 4])
            _ = try await catalog.deleteArchive(old.uid, at: .now(20), purgeAfter: .now(30))
            #expect(try await versions == [1: 1, 2: 4])
            try await catalog.removeArchive(old.uid)
            #expect(try await versions == [2: 4])
            _ = try await catalog.abortUpload(uploads[0].uid, generation: 2, at: .now(30))
            #expect(try await versions == [2: 3])
            let completed = furnished.fixtures.archive(in: vault, keyVersion: 2)
            #expect(try await catalog.commitArchive(completed, from: (uploads[1].uid, 0)) == .stored)
            #expect(try await versions == [2: 3])
        },
        CatalogLaw("totals add up") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            #expect(
                try await catalog.totals()
                    == CatalogTotals(vaults: 1, archives: 0, bytes: 0, openUploads: 0, queuedJobs: 0, doomedBlobs: 0))
            _ = try await furnished.storeArchive(size: 10)
            _ = try await furnished.storeArchive(size: 5)
            _ = try await furnished.openUpload()
            let closed = try await furnished.openUpload(parts: 2)
            _ = try await catalog.abortUpload(closed.upload.uid, generation: 2, at: .now(30))
            #expect(try await catalog.insertJob(try furnished.fixtures.inventory(of: furnished.vault.uid)))
            _ = try await furnished.succeed(try furnished.fixtures.inventory(of: furnished.vault.uid))
            #expect(
                try await catalog.totals()
                    == CatalogTotals(vaults: 1, archives: 2, bytes: 15, openUploads: 1, queuedJobs: 1, doomedBlobs: 2))
        },
        CatalogLaw("a caller that is cancelled still gets the outcome, and the change is made") { catalog in
            let seen = try await withThrowingTaskGroup(of: String?.self) { group in
                group.cancelAll()
                group.addTask {
                    try await catalog.setFact("cancelled", "yes")
                    return try await catalog.fact("cancelled")
                }
                return try await group.next() ?? nil
            }
            #expect(seen == "yes")
            #expect(try await catalog.fact("cancelled") == "yes")
        },
        CatalogLaw("a closed catalog refuses politely, and closing twice is closing once") { catalog in
            await catalog.close()
            await catalog.close()
            await expectCode(.unusable) { _ = try await catalog.fact("x") }
            await expectCode(.unusable) { try await catalog.setFact("x", "y") }
        },
    ]
}
