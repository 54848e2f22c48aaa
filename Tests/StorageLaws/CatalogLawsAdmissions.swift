// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

extension CatalogLaw {
    static let admissions: [CatalogLaw] = [
        CatalogLaw(
            "a quota of unfinished bytes counts unfinished Standard archive retrievals of its account and region"
        ) {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive(size: 100)
            let abroad = try await furnished.storeArchive(inRegion: "eu-west-1")
            let range = try #require(ByteRange(first: 10, last: 39))
            for job in [
                try furnished.fixtures.retrieval(of: archive, account: 2),
                try furnished.fixtures.retrieval(of: archive, tier: .expedited),
                try furnished.fixtures.retrieval(of: archive, tier: .bulk),
                try furnished.fixtures.retrieval(of: abroad), try furnished.fixtures.inventory(of: furnished.vault.uid),
            ] {
                #expect(try await catalog.insertJob(job))
            }
            _ = try await furnished.succeed(try furnished.fixtures.retrieval(of: archive, created: 19))
            #expect(try await catalog.insertJob(try furnished.fixtures.retrieval(of: archive, range: range)))
            // 30 bytes are there: 30 and 100 fit exactly 130 and no less.
            let job = try furnished.fixtures.retrieval(of: archive)
            let home = furnished.vault.location.region
            for (maxBytes, outcome) in [
                (129, .overQuota(bytes: 30)), (0, .overQuota(bytes: 30)), (130, .inserted(isProvisioned: false)),
            ] as [(UInt64, JobInsertion)] {
                let admission = JobAdmission(region: home, quota: .unfinished(maxBytes: maxBytes))
                #expect(try await catalog.insertJob(job, admission: admission) == outcome)
                #expect(try await catalog.job(job.uid) == (outcome == .overQuota(bytes: 30) ? nil : job))
            }
            // A lease is not an end, a failure is.
            let epoch = try await catalog.beginEpoch()
            let claimed = try await catalog.claimJobs(
                like: job.uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 1)
            let held = try #require(claimed.first)
            let next = try furnished.fixtures.retrieval(of: archive, range: range)
            let tight = JobAdmission(region: home, quota: .unfinished(maxBytes: 60))
            #expect(try await catalog.insertJob(next, admission: tight) == .overQuota(bytes: 130))
            let failed = furnished.fixtures.finished(held, as: .failed)
            #expect(try await catalog.finishJob(failed, epoch: epoch, staged: nil) == .finished)
            #expect(try await catalog.insertJob(next, admission: tight) == .inserted(isProvisioned: false))
        },
        CatalogLaw("a quota since a moment counts what may start then or later, finished or not, queued or not yet") {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive(size: 10)
            for start: Int64 in [28, 29, 30, 31] {
                _ = try await furnished.succeed(try furnished.fixtures.retrieval(of: archive, notBefore: start))
            }
            let future = try furnished.fixtures.retrieval(of: archive, notBefore: 900)
            #expect(try await catalog.insertJob(future))
            _ = try await furnished.succeed(try furnished.fixtures.retrieval(of: archive, account: 2, notBefore: 30))
            let job = try furnished.fixtures.retrieval(of: archive, created: 32)
            let region = furnished.vault.location.region
            func admission(_ moment: Int64, _ maxBytes: UInt64) -> JobAdmission {
                JobAdmission(region: region, quota: .since(.now(moment), maxBytes: maxBytes))
            }
            #expect(try await catalog.insertJob(job, admission: admission(29, 49)) == .overQuota(bytes: 40))
            #expect(try await catalog.insertJob(job, admission: admission(30, 39)) == .overQuota(bytes: 30))
            #expect(
                try await catalog.insertJob(job, admission: admission(30, 40)) == .inserted(isProvisioned: false))
        },
        CatalogLaw("a quota binds only Standard archive retrievals") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive(size: 10)
            let none = JobAdmission(region: furnished.vault.location.region, quota: .unfinished(maxBytes: 0))
            for job in [
                try furnished.fixtures.retrieval(of: archive, tier: .expedited),
                try furnished.fixtures.retrieval(of: archive, tier: .bulk),
                try furnished.fixtures.inventory(of: furnished.vault.uid),
            ] {
                #expect(try await catalog.insertJob(job, admission: none) == .inserted(isProvisioned: false))
            }
            let standard = try furnished.fixtures.retrieval(of: archive)
            #expect(try await catalog.insertJob(standard, admission: none) == .overQuota(bytes: 0))
        },
        CatalogLaw("bytes beyond 64 bits are over any quota, and no error") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive(size: 1)
            let huge = try #require(ByteRange(first: 0, last: UInt64(Int64.max) - 1))
            let admission = JobAdmission(region: furnished.vault.location.region, quota: .unfinished(maxBytes: .max))
            for present: UInt64 in [huge.count, 2 * huge.count, .max] {
                #expect(try await catalog.insertJob(try furnished.fixtures.retrieval(of: archive, range: huge)))
                let next = try furnished.fixtures.retrieval(of: archive, range: huge)
                let (_, overflow) = present.addingReportingOverflow(huge.count)
                let outcome = try await catalog.insertJob(next, admission: admission)
                #expect(outcome == (overflow ? .overQuota(bytes: present) : .inserted(isProvisioned: false)))
                if !overflow {
                    // Take it out again: it has had its say.
                    let epoch = try await catalog.beginEpoch()
                    let claimed = try await catalog.claimJobs(
                        like: next.uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 1)
                    let failed = furnished.fixtures.finished(try #require(claimed.first), as: .failed)
                    #expect(try await catalog.finishJob(failed, epoch: epoch, staged: nil) == .finished)
                }
            }
        },
        CatalogLaw("of jobs inserted at the same time no more are admitted than fit the quota") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive(size: 10)
            let region = furnished.vault.location.region
            for (account, quota) in [
                (1, .unfinished(maxBytes: 109)), (2, .since(.now(20), maxBytes: 109)),
            ] as [(Int, JobAdmission.Quota)] {
                let jobs = try (0..<64).map { _ in try furnished.fixtures.retrieval(of: archive, account: account) }
                let outcomes = try await Self.insert(jobs, JobAdmission(region: region, quota: quota), in: catalog)
                #expect(outcomes.count { $0 == .inserted(isProvisioned: false) } == 10)
                #expect(outcomes.count { $0 == .overQuota(bytes: 100) } == 54)
            }
        },
        CatalogLaw("of Expedited jobs inserted at the same time exactly as many are provisioned as there is capacity") {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive(size: 10)
            let capacity = JobAdmission.Capacity(since: .now(20), max: 6)
            let jobs = try (0..<40).map { _ in try furnished.fixtures.retrieval(of: archive, tier: .expedited) }
            let outcomes = try await Self.insert(
                jobs, JobAdmission(region: furnished.vault.location.region, capacity: capacity), in: catalog)
            #expect(outcomes.count { $0 == .inserted(isProvisioned: true) } == 6)
            #expect(outcomes.count { $0 == .inserted(isProvisioned: false) } == 34)
            var provisioned = 0
            for job in jobs where try await catalog.job(job.uid)?.isProvisioned == true { provisioned += 1 }
            #expect(provisioned == 6)
        },
        CatalogLaw(
            "capacity belongs to an account and region, comes back with time, and serves Expedited archive jobs only"
        ) {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let abroad = try await furnished.storeArchive(inRegion: "eu-west-1")
            let home = furnished.vault.location.region
            let away = try #require(Region("eu-west-1"))
            func isProvisioned(
                _ job: JobRow, since: Int64 = 20, max: Int = 1, in region: Region? = nil
            ) async throws -> Bool {
                let capacity = JobAdmission.Capacity(since: .now(since), max: max)
                let outcome = try await catalog.insertJob(
                    job, admission: JobAdmission(region: region ?? home, capacity: capacity))
                return outcome == .inserted(isProvisioned: true)
            }
            func expedited(account: Int = 1, created: Int64 = 20) throws -> JobRow {
                try furnished.fixtures.retrieval(of: archive, account: account, created: created, tier: .expedited)
            }
            #expect(try await !isProvisioned(try expedited(), max: 0))
            #expect(try await !isProvisioned(try furnished.fixtures.retrieval(of: archive)))
            #expect(try await !isProvisioned(try furnished.fixtures.retrieval(of: archive, tier: .bulk)))
            #expect(try await !isProvisioned(try furnished.fixtures.inventory(of: furnished.vault.uid)))
            #expect(try await isProvisioned(try expedited()))
            #expect(try await !isProvisioned(try expedited()))
            #expect(try await isProvisioned(try expedited(account: 2)))
            let foreign = try furnished.fixtures.retrieval(of: abroad, tier: .expedited)
            #expect(try await isProvisioned(foreign, in: away))
            #expect(try await isProvisioned(try expedited(created: 30), since: 21))
            #expect(try await !isProvisioned(try expedited(created: 31), since: 30))
            // What the caller believes does not count.
            var claims = try expedited()
            claims.isProvisioned = true
            #expect(try await catalog.insertJob(claims, admission: nil) == .inserted(isProvisioned: false))
            #expect(try await catalog.job(claims.uid)?.isProvisioned == false)
        },
        CatalogLaw("provisioned work is offered before anything else, for each account its most urgent") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let vault = furnished.vault.uid
            let region = furnished.vault.location.region
            func add(account: Int, deadline: Int64, notBefore: Int64 = 20, provisioned: Bool) async throws -> JobUID {
                let job = try furnished.fixtures.retrieval(
                    of: furnished.fixtures.archive(in: vault), account: account, notBefore: notBefore,
                    deadline: deadline, tier: .expedited)
                let capacity = JobAdmission.Capacity(since: .now(20), max: provisioned ? 100 : 0)
                let outcome = try await catalog.insertJob(
                    job, admission: JobAdmission(region: region, capacity: capacity))
                #expect(outcome == .inserted(isProvisioned: provisioned))
                return job.uid
            }
            let first = try await add(account: 1, deadline: 100, provisioned: false)
            _ = try await add(account: 1, deadline: 900, provisioned: true)
            let promised = try await add(account: 1, deadline: 800, provisioned: true)
            let both = try await add(account: 2, deadline: 500, provisioned: true)
            let plain = try await add(account: 3, deadline: 50, provisioned: false)
            let late = try await add(account: 3, deadline: 40, notBefore: 70, provisioned: true)
            #expect(
                try await catalog.runnableJobs(at: .now(60), limit: 9).map(\.uid) == [both, promised, plain, first])
            #expect(try await catalog.runnableJobs(at: .now(60), limit: 3).map(\.uid) == [both, promised, plain])
            #expect(
                try await catalog.runnableJobs(at: .now(70), limit: 9).map(\.uid) == [late, both, promised, first])
            // An overdue lease keeps its rank; a claim says what it got.
            let epoch = try await catalog.beginEpoch()
            let claimed = try await catalog.claimJobs(
                like: promised, epoch: epoch, at: .now(60), leaseUntil: .now(65), limit: 9)
            #expect(claimed.map(\.isProvisioned) == [true])
            #expect(
                try await catalog.runnableJobs(at: .now(69), limit: 9).map(\.uid) == [both, promised, plain, first])
        },
        CatalogLaw("a job is judged by the region of its vault, and a vault that is gone admits none") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let job = try furnished.fixtures.retrieval(of: archive)
            let elsewhere = JobAdmission(region: try #require(Region("eu-west-1")))
            await expectCode(.conflict) { _ = try await catalog.insertJob(job, admission: elsewhere) }
            #expect(try await catalog.job(job.uid) == nil)
            let empty = try furnished.fixtures.vault("empty")
            #expect(try await catalog.createVault(empty, limit: 1000) == .created)
            _ = try await catalog.beginVaultDeletion(empty.uid)
            let late = try furnished.fixtures.retrieval(of: furnished.fixtures.archive(in: empty.uid))
            let none = JobAdmission(region: empty.location.region, quota: .unfinished(maxBytes: 0))
            #expect(try await catalog.insertJob(late, admission: none) == .vaultGone)
        },
    ]

    /// All at the same time.
    private static func insert(
        _ jobs: [JobRow], _ admission: JobAdmission, in catalog: any Catalog
    ) async throws -> [JobInsertion] {
        try await withThrowingTaskGroup(of: JobInsertion.self) { group in
            for job in jobs { group.addTask { try await catalog.insertJob(job, admission: admission) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }
}
