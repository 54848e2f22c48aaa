// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

extension CatalogLaw {
    static let jobs: [CatalogLaw] = [
        CatalogLaw("a job is read back whole") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let retrieval = try furnished.fixtures.retrieval(of: archive)
            let inventory = try furnished.fixtures.inventory(of: furnished.vault.uid)
            for job in [retrieval, inventory] {
                #expect(try await catalog.insertJob(job))
                #expect(try await catalog.job(job.uid) == job)
            }
            await expectCode(.alreadyExists) { _ = try await catalog.insertJob(retrieval) }
        },
        CatalogLaw("jobs page by creation and uid, filtered by any set of states") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let epoch = try await catalog.beginEpoch()
            var jobs: [JobRow] = []
            for index in 0..<24 {
                let job = try furnished.fixtures.inventory(of: furnished.vault.uid, created: Int64(20 + index / 5))
                #expect(try await catalog.insertJob(job))
                if index % 4 > 0 {
                    let claimed = try await catalog.claimJobs(
                        like: job.uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 1)
                    let held = try #require(claimed.first)
                    if index % 4 > 1 {
                        let done = furnished.fixtures.finished(held, as: index % 4 == 2 ? .succeeded : .failed)
                        #expect(try await catalog.finishJob(done, epoch: epoch, staged: nil) == .finished)
                    }
                }
                jobs.append(try #require(try await catalog.job(job.uid)))
            }
            jobs.sort { ($0.created, $0.uid) < ($1.created, $1.uid) }
            let everything: [JobRow.State] = [.queued, .leased, .succeeded, .failed]
            for mask in 0..<16 {
                let states = Set(everything.enumerated().filter { mask & (1 << $0.offset) != 0 }.map(\.element))
                var walked: [JobRow] = []
                while walked.count <= jobs.count {
                    let page = try await catalog.jobs(
                        vault: furnished.vault.uid, after: walked.last?.uid, states: states, limit: 4)
                    #expect(page.count <= 4)
                    if page.isEmpty { break }
                    walked += page
                }
                #expect(walked == jobs.filter { states.contains($0.state) })
            }
        },
        CatalogLaw("a list of jobs cannot continue after a job that is gone") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let job = try await furnished.succeed(
                try furnished.fixtures.inventory(of: furnished.vault.uid), expires: 200)
            #expect(try await catalog.expireJobs(at: .now(200), limit: 9) == 1)
            let vault = furnished.vault.uid
            await expectCode(.notFound) {
                _ = try await catalog.jobs(vault: vault, after: job.uid, states: [.queued], limit: 9)
            }
        },
        CatalogLaw("of every account with work the runnable job of the earliest deadline is offered, most urgent first")
        { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let vault = furnished.vault.uid
            func add(account: Int, notBefore: Int64, deadline: Int64) async throws -> JobUID {
                let archive = furnished.fixtures.archive(in: vault)
                let job = try furnished.fixtures.retrieval(
                    of: archive, account: account, created: 20, notBefore: notBefore, deadline: deadline)
                #expect(try await catalog.insertJob(job))
                return job.uid
            }
            _ = try await add(account: 1, notBefore: 20, deadline: 900)
            let urgent = try await add(account: 1, notBefore: 20, deadline: 500)
            let delayed = try await add(account: 1, notBefore: 60, deadline: 100)
            let other = try await add(account: 2, notBefore: 20, deadline: 300)
            _ = try await add(account: 3, notBefore: 70, deadline: 10)
            #expect(try await catalog.runnableJobs(at: .now(19), limit: 9).isEmpty)
            #expect(try await catalog.runnableJobs(at: .now(59), limit: 9).map(\.uid) == [other, urgent])
            #expect(try await catalog.runnableJobs(at: .now(59), limit: 1).map(\.uid) == [other])
            #expect(try await catalog.runnableJobs(at: .now(60), limit: 9).map(\.uid) == [delayed, other])
            // Also when the clock steps back.
            #expect(try await catalog.runnableJobs(at: .now(30), limit: 9).map(\.uid) == [other, urgent])
            #expect(try await catalog.nextRunnable(after: .now(10)) == .now(20))
            #expect(try await catalog.nextRunnable(after: .now(20)) == .now(60))
            #expect(try await catalog.nextRunnable(after: .now(60)) == .now(70))
            #expect(try await catalog.nextRunnable(after: .now(70)) == nil)
        },
        CatalogLaw("ten thousand queued jobs of one account do not hide the one of another") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let vault = furnished.vault.uid
            var flood: [JobRow] = []
            for index in 0..<10_000 {
                flood.append(
                    try furnished.fixtures.inventory(
                        of: vault, account: 1, created: Int64(index), deadline: Int64(100 + index)))
            }
            let queue = flood
            try await withThrowingTaskGroup { group in
                for worker in 0..<64 {
                    group.addTask {
                        for index in stride(from: worker, to: queue.count, by: 64) {
                            _ = try await catalog.insertJob(queue[index])
                        }
                    }
                }
                try await group.waitForAll()
            }
            let lone = try furnished.fixtures.inventory(of: vault, account: 2, created: 0, deadline: 99_999)
            #expect(try await catalog.insertJob(lone))
            #expect(try await catalog.runnableJobs(at: .now(20_000), limit: 9).map(\.uid) == [queue[0].uid, lone.uid])
        },
    ]

    static let jobLeases: [CatalogLaw] = [
        CatalogLaw("a claim takes every runnable job for the same archive, up to the limit, and no other") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let (archive, other) = (try await furnished.storeArchive(), try await furnished.storeArchive())
            var same: [JobRow] = []
            for deadline: Int64 in [900, 800, 700, 600] {
                same.append(try furnished.fixtures.retrieval(of: archive, deadline: deadline))
            }
            let delayed = try furnished.fixtures.retrieval(of: archive, created: 20, notBefore: 70)
            let different = try furnished.fixtures.retrieval(of: other)
            for job in same + [delayed, different] { #expect(try await catalog.insertJob(job)) }
            let epoch = try await catalog.beginEpoch()
            let first = try await catalog.claimJobs(
                like: same[0].uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 3)
            #expect(first.map(\.uid) == [same[0].uid, same[3].uid, same[2].uid])
            for job in first {
                #expect(job.state == .leased)
                #expect(job.leaseEpoch == epoch)
                #expect(job.leaseUntil == .now(90))
                #expect(job.attempts == 1)
                #expect(try await catalog.job(job.uid) == job)
            }
            #expect(
                try await catalog.claimJobs(
                    like: same[0].uid, epoch: epoch, at: .now(51), leaseUntil: .now(95), limit: 3
                ).isEmpty)
            #expect(
                try await catalog.claimJobs(
                    like: delayed.uid, epoch: epoch, at: .now(69), leaseUntil: .now(95), limit: 3
                ).isEmpty)
            let later = try await catalog.claimJobs(
                like: delayed.uid, epoch: epoch, at: .now(70), leaseUntil: .now(99), limit: 9)
            #expect(later.map(\.uid) == [delayed.uid, same[1].uid])
            #expect(try await catalog.job(different.uid)?.state == .queued)
            let unknown: JobUID = furnished.fixtures.choices.uid()
            #expect(
                try await catalog.claimJobs(like: unknown, epoch: epoch, at: .now(70), leaseUntil: .now(99), limit: 9)
                    .isEmpty)
        },
        CatalogLaw("a claim of a runnable job takes along delayed ones that have become runnable") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let prompt = try furnished.fixtures.retrieval(of: archive)
            let delayed = try furnished.fixtures.retrieval(of: archive, created: 20, notBefore: 40)
            for job in [prompt, delayed] { #expect(try await catalog.insertJob(job)) }
            let epoch = try await catalog.beginEpoch()
            let claimed = try await catalog.claimJobs(
                like: prompt.uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 9)
            #expect(Set(claimed.map(\.uid)) == [prompt.uid, delayed.uid])
        },
        CatalogLaw("an inventory job is claimed alone") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let jobs = [
                try furnished.fixtures.inventory(of: furnished.vault.uid),
                try furnished.fixtures.inventory(of: furnished.vault.uid),
            ]
            for job in jobs { #expect(try await catalog.insertJob(job)) }
            let epoch = try await catalog.beginEpoch()
            let claimed = try await catalog.claimJobs(
                like: jobs[0].uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 9)
            #expect(claimed.map(\.uid) == [jobs[0].uid])
        },
        CatalogLaw(
            "an overdue lease is offered and claimed again, and its old owner's renewal then fails only by epoch"
        ) { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let job = try furnished.fixtures.inventory(of: furnished.vault.uid)
            #expect(try await catalog.insertJob(job))
            let epoch = try await catalog.beginEpoch()
            _ = try await catalog.claimJobs(like: job.uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 9)
            #expect(try await catalog.runnableJobs(at: .now(89), limit: 9).isEmpty)
            #expect(try await catalog.runnableJobs(at: .now(90), limit: 9).map(\.uid) == [job.uid])
            #expect(try await catalog.renewLeases([job.uid], epoch: epoch, leaseUntil: .now(120)) == [job.uid])
            #expect(try await catalog.runnableJobs(at: .now(119), limit: 9).isEmpty)
            let again = try await catalog.claimJobs(
                like: job.uid, epoch: epoch, at: .now(120), leaseUntil: .now(150), limit: 9)
            #expect(again.first?.attempts == 2)
        },
        CatalogLaw("a new epoch voids every lease, and an older epoch can neither claim, renew, release nor finish") {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let jobs = [
                try furnished.fixtures.inventory(of: furnished.vault.uid),
                try furnished.fixtures.inventory(of: furnished.vault.uid),
            ]
            for job in jobs { #expect(try await catalog.insertJob(job)) }
            let old = try await catalog.beginEpoch()
            let claimed = try await catalog.claimJobs(
                like: jobs[0].uid, epoch: old, at: .now(50), leaseUntil: .now(900), limit: 1)
            let held = try #require(claimed.first)
            let new = try await catalog.beginEpoch()
            #expect(new > old)
            #expect(try await catalog.job(held.uid)?.state == .queued)
            #expect(try await catalog.job(held.uid)?.leaseEpoch == nil)
            #expect(try await catalog.runnableJobs(at: .now(60), limit: 9).count == 1)
            #expect(
                try await catalog.claimJobs(
                    like: jobs[1].uid, epoch: old, at: .now(60), leaseUntil: .now(900), limit: 1
                ).isEmpty)
            let taken = try await catalog.claimJobs(
                like: held.uid, epoch: new, at: .now(60), leaseUntil: .now(900), limit: 1)
            #expect(taken.first?.attempts == 2)
            #expect(try await catalog.renewLeases([held.uid], epoch: old, leaseUntil: .now(999)).isEmpty)
            try await catalog.releaseJobs([held.uid], epoch: old)
            let finished = furnished.fixtures.finished(held)
            #expect(try await catalog.finishJob(finished, epoch: old, staged: nil) == .leaseLost)
            #expect(try await catalog.job(held.uid) == taken.first)
        },
        CatalogLaw("a released job is queued again and offered at once; renewing covers exactly our leases") {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let jobs = [
                try furnished.fixtures.inventory(of: furnished.vault.uid),
                try furnished.fixtures.inventory(of: furnished.vault.uid),
            ]
            for job in jobs { #expect(try await catalog.insertJob(job)) }
            let epoch = try await catalog.beginEpoch()
            _ = try await catalog.claimJobs(
                like: jobs[0].uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 1)
            let unknown: JobUID = furnished.fixtures.choices.uid()
            let renewed = try await catalog.renewLeases(
                [jobs[0].uid, jobs[1].uid, unknown], epoch: epoch, leaseUntil: .now(95))
            #expect(renewed == [jobs[0].uid])
            try await catalog.releaseJobs(jobs.map(\.uid), epoch: epoch)
            let row = try #require(try await catalog.job(jobs[0].uid))
            #expect(row.state == .queued)
            #expect(row.leaseUntil == nil)
            // What counts are leases that nobody handed back: those of a process that died.
            #expect(row.attempts == 0)
            #expect(try await catalog.renewLeases([jobs[0].uid], epoch: epoch, leaseUntil: .now(95)).isEmpty)
            #expect(
                try await catalog.claimJobs(
                    like: jobs[0].uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 1
                ).count == 1)
        },
        CatalogLaw("sixteen workers that claim at the same time never hold the same job") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            var jobs: [JobRow] = []
            for index in 0..<200 {
                let archive =
                    index % 10 == 0
                    ? try await furnished.storeArchive() : furnished.fixtures.archive(in: furnished.vault.uid)
                for _ in 0..<2 { jobs.append(try furnished.fixtures.retrieval(of: archive, account: index % 7)) }
            }
            for job in jobs { #expect(try await catalog.insertJob(job)) }
            let epoch = try await catalog.beginEpoch()
            let all = jobs.map(\.uid)
            let claims = try await withThrowingTaskGroup(of: [JobUID].self) { group in
                for worker in 0..<16 {
                    group.addTask {
                        var choices = SeededGenerator(seed: UInt64(worker))
                        var mine: [JobUID] = []
                        for uid in all.shuffled(using: &choices) {
                            mine += try await catalog.claimJobs(
                                like: uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 5
                            )
                            .map(\.uid)
                        }
                        return mine
                    }
                }
                var claims: [JobUID] = []
                for try await mine in group { claims += mine }
                return claims
            }
            #expect(claims.count == all.count)
            #expect(Set(claims) == Set(all))
        },
    ]
}
