// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

/// How a new job enters the queue: judged by the account's data retrieval policy and provisioned capacity, in the
/// transaction that inserts it.
extension VaultEngine {
    private static let policyRefusal = VaultError(
        .policyEnforced, "InitiateJob request denied by current data retrieval policy.")

    /// Inserts the job, or where the operator has chosen so, a job that may start only later.
    func admit(
        _ job: JobRow, _ column: JobColumn, _ tier: RetrievalTier, in vault: VaultRow, by actor: AuditActor
    ) async throws {
        let act = AuditAct.job(job, "glacier:InitiateJob", by: actor, in: vault)
        var admission = JobAdmission(region: vault.location.region)
        var quota: RetrievalQuota?
        if job.action == .archiveRetrieval, tier != .bulk {
            let settings = try await accountSettings(job.account)
            if tier == .standard {
                let policy = settings.retrievalPolicies[vault.location.region] ?? .none
                quota = RetrievalQuota(policy, freeTierMonthlyBytes: configuration.freeTierMonthlyBytes)
                admission.quota = quota?.admission(startingAt: job.notBefore)
            } else {
                admission.capacity = Self.capacity(settings.capacity[vault.location.region] ?? [], at: job.created)
            }
        }
        switch try await catalog.insertJob(job, admission: admission, audit: try audit(act)) {
        case .inserted: return
        case .vaultGone: throw Messages.vaultNotFound(vault.location)
        case .overQuota(let bytes):
            // What does not fit an empty quota will not fit later either.
            guard let quota, configuration.retrievalQuotaMode == .queue, (job.range?.count ?? 0) <= quota.maxBytes
            else {
                throw Self.policyRefusal
            }
            try await queue(job, column, behind: bytes, quota, in: vault, as: act)
        }
    }

    private static func capacity(_ units: [CapacityUnit], at now: Timestamp) -> JobAdmission.Capacity? {
        let active = units.count { $0.isActive(at: now) }
        guard active > 0 else { return nil }
        return JobAdmission.Capacity(
            since: now.advanced(by: .zero - CapacityUnit.window), max: active * CapacityUnit.retrievalsPerWindow)
    }

    /// Inserts a job that is over the quota so that it starts when it fits. Others may come first: then it is
    /// reckoned again.
    private func queue(
        _ job: JobRow, _ column: JobColumn, behind present: UInt64, _ quota: RetrievalQuota, in vault: VaultRow, as act: AuditAct
    ) async throws {
        let wanted = job.range?.count ?? 0
        var present = present
        for _ in 0..<8 {
            let start: Timestamp
            let bound: JobAdmission.Quota
            switch quota {
            case .bytesPerHour(let bytes):
                start = job.notBefore.advanced(
                    by: RetrievalQuota.delay(present: present, wanted: wanted, bytesPerHour: bytes))
                // Exactly what was reckoned with, or less.
                bound = .unfinished(maxBytes: present + min(wanted, .max - present))
            case .bytesPerDay:
                start = try await firstFreeHour(for: job, quota, in: vault)
                bound = quota.admission(startingAt: start)
            }
            guard start <= job.notBefore.advanced(by: .seconds(Int64(RetrievalQuota.maxHours) * 3600)) else {
                throw Self.policyRefusal
            }
            let later = try waiting(job, column, until: start, in: vault)
            switch try await catalog.insertJob(
                later, admission: JobAdmission(region: vault.location.region, quota: bound),
                audit: try audit(act))
            {
            case .inserted: return
            case .vaultGone: throw Messages.vaultNotFound(vault.location)
            case .overQuota(let bytes): present = bytes
            }
        }
        throw VaultError(.unavailable, "Many retrievals are being queued at once. Please try again.")
    }

    /// The first moment, in steps of an hour, from which the job fits beside all that may start in the 24 hours
    /// before it or later.
    private func firstFreeHour(for job: JobRow, _ quota: RetrievalQuota, in vault: VaultRow) async throws -> Timestamp {
        func start(after hours: UInt64) -> Timestamp { job.notBefore.advanced(by: .seconds(Int64(hours) * 3600)) }
        var (full, free) = (UInt64(0), RetrievalQuota.maxHours + 1)
        while free - full > 1 {
            let middle = (full + free) / 2
            let since = start(after: middle).advanced(by: .zero - RetrievalQuota.day)
            // A quota of nothing never admits the job; the refusal tells what is there.
            let probe = try await catalog.insertJob(
                job, admission: JobAdmission(region: vault.location.region, quota: .since(since, maxBytes: 0)),
                audit: .none)
            switch probe {
            case .overQuota(let bytes) where bytes + min(job.range?.count ?? 0, .max - bytes) <= quota.maxBytes:
                free = middle
            case .overQuota: full = middle
            case .vaultGone: throw Messages.vaultNotFound(vault.location)
            case .inserted: throw VaultError(.internalFailure, "A job was admitted by a quota of nothing.")
            }
        }
        return start(after: free)
    }

    /// The same job, to start later; its client is told when.
    private func waiting(_ job: JobRow, _ column: JobColumn, until start: Timestamp, in vault: VaultRow)
        throws(VaultError) -> JobRow
    {
        var column = column
        column.statusMessage = "Queued until \(start.iso8601Milliseconds) by the data retrieval policy."
        return JobRow(
            uid: job.uid, id: job.id, vault: job.vault, account: job.account, action: job.action, tier: job.tier,
            state: job.state,
            created: job.created, notBefore: start, deadline: job.deadline.advanced(by: start.since(job.notBefore)),
            archive: job.archive, archiveID: job.archiveID, archiveSize: job.archiveSize, range: job.range,
            sealed: try seal(column, job: job.uid, in: vault))
    }
}
