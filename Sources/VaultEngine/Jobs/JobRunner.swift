// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import Logging
import Storage
import TreeHash
import VaultModel

/// The background worker: claims jobs under leases, prepares their outputs, ends them.
///
/// Invariants:
///  1. A job is claimed, renewed and ended only under this process's epoch; a lost lease makes its work void, never
///     doubled.
///  2. Jobs for the same archive are claimed together and share one recall and, per range, one verification.
///  3. An output is ready only after every byte of it has been decrypted and every leaf and the tree hash verified.
///  4. A failing job ends alone; the loop goes on.
///  5. A job that a process has died with more than once works alone, so that it takes no others with it; after
///     `maxJobDeaths` it ends as failed.
struct JobRunner: Sendable {
    /// Jobs claimed together for one archive.
    private static let maxGroup = 64
    private static let maxCandidates = 1000
    /// The longest the loop sleeps without looking.
    private static let heartbeat: Duration = .seconds(1)
    /// Two leaves at work and two read ahead, their ciphertext, and scratch.
    private static let workingBytes = 8 << 20
    /// For the provisioned lanes, beside the budget that everybody shares: their working bytes, and manifests.
    static let maxProvisionedBytes = (JobDispatch.provisionedLanes * 8 + 16) << 20

    let engine: VaultEngine
    let epoch: UInt64

    /// Runs until cancelled; then the running jobs are handed back.
    func run() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                var pause = Self.heartbeat
                do {
                    try await startRunnable(in: &group)
                    let now = engine.scheduler.time(atLeast: engine.clock.now())
                    if let next = try await engine.catalog.nextRunnable(after: now) {
                        pause = min(pause, max(.milliseconds(1), next.since(now)))
                    }
                } catch {
                    engine.logger.error("the job queue cannot be read", metadata: ["error": "\(error)"])
                }
                await engine.wake.wait(upTo: pause, clock: engine.clock)
            }
            group.cancelAll()
        }
    }

    private func startRunnable(in group: inout DiscardingTaskGroup) async throws {
        while engine.scheduler.hasRoom, !Task.isCancelled {
            let now = engine.scheduler.time(atLeast: engine.clock.now())
            let candidates = try await engine.catalog.runnableJobs(at: now, limit: Self.maxCandidates)
            guard let (next, lane) = engine.scheduler.next(of: candidates) else { return }
            let isSuspect = JobLifeCycle.isSuspect(deaths: next.attempts)
            // What runs ends first, and nothing else begins meanwhile.
            if isSuspect, engine.scheduler.isBusy { return }
            // Ordinary jobs for the same archive do not hold a provisioned lane.
            let jobs = try await engine.catalog.claimJobs(
                like: next.uid, epoch: epoch, at: now, leaseUntil: now.advanced(by: engine.configuration.lease),
                limit: lane == .provisioned || isSuspect ? 1 : Self.maxGroup)
            guard !jobs.isEmpty else { return }
            engine.scheduler.started(next.account, on: lane, alone: isSuspect)
            group.addTask {
                await process(jobs, on: lane)
                engine.scheduler.finished(next.account, on: lane)
                engine.wake.signal()
            }
        }
    }

    /// Works on jobs of one archive (or one inventory job) while keeping their leases alive.
    private func process(_ jobs: [JobRow], on lane: JobDispatch.Lane) async {
        let jobs = await sparingTheProcess(jobs)
        guard !jobs.isEmpty else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await keepLeases(jobs.map(\.uid)) }
            group.addTask {
                do {
                    try await work(on: jobs, memory: lane == .provisioned ? engine.provisionedBudget : engine.budget)
                } catch {
                    await settle(jobs, after: error)
                }
            }
            // The heartbeat never ends by itself: whoever ends first is the work, or a lost lease.
            await group.next()
            group.cancelAll()
        }
    }

    /// Those that may be worked on; the others have ended the process too often and end themselves.
    private func sparingTheProcess(_ jobs: [JobRow]) async -> [JobRow] {
        var spared: [JobRow] = []
        for job in jobs {
            guard let reason = JobLifeCycle.afterDeaths(job.attempts - 1, limit: engine.configuration.maxJobDeaths) else {
                spared.append(job)
                continue
            }
            engine.logger.error(
                "job failed: the service ended each time it worked on it",
                metadata: Self.metadata(job).merging(["deaths": "\(job.attempts - 1)"]) { $1 })
            await fail(job, reason: reason)
        }
        return spared
    }

    private func keepLeases(_ uids: [JobUID]) async {
        let interval = engine.configuration.lease / 4
        while !Task.isCancelled {
            do {
                try await engine.clock.sleep(for: interval)
                let until = engine.scheduler.time(atLeast: engine.clock.now()).advanced(by: engine.configuration.lease)
                let kept = try await engine.catalog.renewLeases(uids, epoch: epoch, leaseUntil: until)
                if kept.isEmpty { return }
            } catch is CancellationError {
                return
            } catch {
                engine.logger.warning("leases could not be renewed", metadata: ["error": "\(error)"])
            }
        }
    }

    private func work(on jobs: [JobRow], memory budget: MemoryBudget) async throws {
        guard let first = jobs.first, let vault = try await engine.catalog.vault(first.vault), vault.state == .active
        else {
            throw JobFailure(reason: "The vault was deleted.")
        }
        guard let archiveUID = first.archive else {
            let memory = try await budget.reserve(Self.workingBytes, for: VaultEngine.memoryOwner(first.account))
            defer { memory.release() }
            for job in jobs {
                try await each([job]) {
                    let output = try await InventoryJob(engine: engine, vault: vault, job: job).prepare()
                    return PreparedOutput(
                        bytes: output.bytes, staged: output.staged, isNew: true, rangeTreeHash: nil,
                        nextMarker: output.nextMarker)
                }
            }
            return
        }
        guard let archive = try await engine.catalog.archive(archiveUID), archive.state == .stored else {
            throw JobFailure(reason: JobLifeCycle.archiveDeleted)
        }
        let memory = try await budget.reserve(
            Self.workingBytes + ArchiveReader.manifestBytes(of: archive, in: engine),
            for: VaultEngine.memoryOwner(first.account))
        defer { memory.release() }
        let retrieval = try await ArchiveRetrieval.open(
            archive, in: vault, engine: engine, ranges: jobs.compactMap(\.range))
        // In the order of their claims, each range once.
        var ranges: [ByteRange] = []
        for range in jobs.compactMap(\.range) where !ranges.contains(range) { ranges.append(range) }
        for range in ranges {
            try await each(jobs.filter { $0.range == range }) { try await retrieval.prepare(range) }
        }
    }

    /// Prepares one output and ends its jobs; a failure ends or returns these jobs only. Cancellation goes up.
    private func each(_ jobs: [JobRow], _ prepare: () async throws -> PreparedOutput) async throws {
        // A staged object that no row names yet: when no job takes it, it must not stay behind.
        var unclaimed: StagedRow?
        do {
            let output = try await prepare()
            if output.isNew { unclaimed = output.staged }
            for job in jobs where try await succeed(job, output) { unclaimed = nil }
            await discard(unclaimed)
        } catch is CancellationError {
            await discard(unclaimed)
            throw CancellationError()
        } catch {
            // The row may exist if it is not known whether the job has ended.
            if (error as? StorageError)?.code != .outcomeUnknown { await discard(unclaimed) }
            await settle(jobs, after: error)
        }
    }

    private func discard(_ staged: StagedRow?) async {
        guard let staged else { return }
        do {
            try await engine.doom([try blobID(staged.blob)], of: .warm)
        } catch {
            engine.logger.warning(
                "an output that nobody needs stays until the next start",
                metadata: ["blob": "\(staged.blob)", "error": "\(error)"])
        }
    }

    /// True when the job has ended with this output.
    private func succeed(_ job: JobRow, _ output: PreparedOutput) async throws -> Bool {
        var done = job
        let now = engine.clock.now()
        done.state = .succeeded
        done.completed = now
        done.expires = now.advanced(by: engine.configuration.outputRetention)
        done.outputBytes = output.bytes
        done.staged = output.staged?.uid
        guard let vault = try await engine.catalog.vault(job.vault) else { return false }
        var column = try engine.column(of: job, in: vault)
        column.statusMessage = "Succeeded"
        column.rangeTreeHash = output.rangeTreeHash ?? column.rangeTreeHash
        column.nextMarker = output.nextMarker
        done.sealed = try engine.seal(column, job: job.uid, in: vault)
        let messages = try engine.completionMessages(for: done, column, in: vault)
        let audit = try engine.audit(.job(done, "job:Succeed", by: .service, in: vault))
        switch try await engine.catalog.finishJob(
            done, epoch: epoch, staged: output.staged, messages: messages, audit: audit)
        {
        case .finished:
            engine.scheduler.forgetFailures(of: job.uid)
            if !messages.isEmpty { engine.deliveries.wake.signal() }
            engine.logger.info(
                "job succeeded", metadata: Self.metadata(job).merging(["bytes": "\(output.bytes)"]) { $1 })
            return true
        case .archiveDeleted:
            await fail(job, reason: JobLifeCycle.archiveDeleted)
        case .leaseLost:
            engine.logger.warning("the lease of a job was lost; its work is void", metadata: Self.metadata(job))
        }
        return false
    }

    /// Ends, returns or leaves jobs after an error, as ``JobLifeCycle`` decides. Outlives a cancellation: leases
    /// are handed back.
    private func settle(_ jobs: [JobRow], after cause: any Error) async {
        // Bytes that are missing because their archive was purged meanwhile are no damage.
        let error: any Error = await isPurged(jobs, cause) ? JobFailure(reason: JobLifeCycle.archiveDeleted) : cause
        var retried: [JobRow] = []
        var pauses: Int64 = 0
        for job in jobs {
            let attempt = JobLifeCycle.isAttempt(error) ? engine.scheduler.failed(job.uid) : 0
            switch JobLifeCycle.afterError(error, attempts: attempt, maxAttempts: engine.configuration.maxJobAttempts) {
            case .fail(let reason):
                let isIntegrity = VaultError.wrapping(error, "preparing an output").code == .integrity
                engine.logger.log(
                    level: isIntegrity ? .error : .warning, "job failed",
                    metadata: Self.metadata(job).merging(["reason": "\(reason)", "error": "\(error)"]) { $1 })
                await fail(job, reason: reason)
            case .retry:
                engine.logger.warning(
                    "job will be tried again",
                    metadata: Self.metadata(job).merging(["attempt": "\(attempt)", "error": "\(error)"]) { $1 })
                retried.append(job)
                // Room does not come back in a moment.
                pauses = max(pauses, attempt > 0 ? Int64(min(10, attempt)) : 5)
            case .leave:
                await handBack([job])
            }
        }
        guard !retried.isEmpty else { return }
        // Being cancelled meanwhile only ends the pause.
        try? await engine.clock.sleep(for: .milliseconds(200 * pauses))
        await handBack(retried)
    }

    private func isPurged(_ jobs: [JobRow], _ error: any Error) async -> Bool {
        guard VaultError.wrapping(error, "preparing an output").code == .integrity, let uid = jobs.first?.archive else {
            return false
        }
        do {
            return try await engine.catalog.archive(uid)?.state != .stored
        } catch {
            // Not known: then what was found stands.
            return false
        }
    }

    private func handBack(_ jobs: [JobRow]) async {
        do {
            try await withCompletionGuaranteed { [self] in
                try await engine.catalog.releaseJobs(jobs.map(\.uid), epoch: epoch)
            }
        } catch {
            engine.logger.warning(
                "leases could not be handed back; they run out by themselves", metadata: ["error": "\(error)"])
        }
    }

    private func fail(_ job: JobRow, reason: String) async {
        engine.scheduler.forgetFailures(of: job.uid)
        do {
            try await withCompletionGuaranteed { [self] in
                guard let vault = try await engine.catalog.vault(job.vault) else { return }
                var failed = job
                let now = engine.clock.now()
                failed.state = .failed
                failed.completed = now
                failed.expires = now.advanced(by: engine.configuration.outputRetention)
                failed.staged = nil
                failed.outputBytes = nil
                var column = try engine.column(of: job, in: vault)
                column.statusMessage = reason
                failed.sealed = try engine.seal(column, job: job.uid, in: vault)
                let messages = try engine.completionMessages(for: failed, column, in: vault)
                _ = try await engine.catalog.finishJob(
                    failed, epoch: epoch, staged: nil, messages: messages,
                    audit: try engine.audit(.job(failed, "job:Fail", by: .service, in: vault)))
                if !messages.isEmpty { engine.deliveries.wake.signal() }
            }
        } catch {
            engine.logger.error(
                "a failed job could not be recorded as such; its lease runs out and it is tried again",
                metadata: Self.metadata(job).merging(["error": "\(error)"]) { $1 })
        }
    }

    static func metadata(_ job: JobRow) -> Logger.Metadata {
        ["job": "\(job.id)", "account": "\(job.account)", "action": "\(job.action.rawValue)"]
    }
}

/// An output that is verified and, if staged, durable.
struct PreparedOutput: Sendable {
    let bytes: UInt64
    let staged: StagedRow?
    /// Whether `staged` was made for this output and has no row yet.
    let isNew: Bool
    let rangeTreeHash: SHA256Digest?
    let nextMarker: String?
}
