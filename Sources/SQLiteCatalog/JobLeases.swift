// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// Who may work on a job. Only the newest epoch is ever given a lease, so a process of an older one can neither take
/// nor finish anything.
extension SQLiteCatalog {
    /// The most jobs marked startable in one transaction.
    private static let startedPerChange: Int64 = 1000
    /// The most overdue leases looked at in one call; leases are as many as workers hold, far fewer.
    private static let overduePerCall = 10_000

    public func beginEpoch() async throws(StorageError) -> UInt64 {
        try await write { database in
            try database.change("UPDATE epochs SET epoch = epoch + 1")
            try database.change(
                "UPDATE jobs SET state = 'queued', lease_epoch = NULL, lease_until = NULL WHERE state = 'leased'")
            return try Self.epoch(in: database)
        }
    }

    /// At most `limit` jobs, no job twice; the provisioned ones first, each kind most urgent first. An overdue lease of
    /// an account counts as its job.
    public func runnableJobs(at now: Timestamp, limit: Int) async throws(StorageError) -> [JobRow] {
        try await startWaitingJobs(at: now)
        let (overdue, provisioned, ready) = try await read { database in
            let ready = try [Pages.readyProvisionedJobs, Pages.readyJobs].map { query in
                let uids: [JobUID] = try database.all(query, [now.sql], from: "jobs") { try $0.optionalUID() }
                    .compactMap(\.self)
                return try uids.compactMap { try JobRow.find($0, in: database) }
            }
            return (
                try database.all(
                    Pages.overdueJobs, [now.sql, pageLimit(Self.overduePerCall)], from: "jobs", JobRow.init(reading:)),
                ready[0], ready[1]
            )
        }
        let first = Self.mostUrgentOfEachAccount(overdue.filter(\.isProvisioned) + provisioned)
        let taken = Set(first.map(\.uid))
        let others = Self.mostUrgentOfEachAccount(overdue + ready).filter { !taken.contains($0.uid) }
        return Array((first + others).prefix(Int(pageLimit(limit))))
    }

    private static func mostUrgentOfEachAccount(_ jobs: [JobRow]) -> [JobRow] {
        var seen: Set<AccountID> = []
        return jobs.sorted(by: JobRow.isMoreUrgent).filter { seen.insert($0.account).inserted }
    }

    public func nextRunnable(after now: Timestamp) async throws(StorageError) -> Timestamp? {
        try await read { database in
            let moments = try [1, 0].compactMap { waiting in
                try database.number(Pages.nextStart, [waiting, now.sql], from: "jobs")
            }
            return moments.min().map { Timestamp(milliseconds: $0) }
        }
    }

    /// Empty, too, when `epoch` is not the newest one. Each claim counts as an attempt until it is handed back.
    public func claimJobs(
        like uid: JobUID, epoch: UInt64, at now: Timestamp, leaseUntil: Timestamp, limit: Int
    ) async throws(StorageError) -> [JobRow] {
        try await write { database in
            guard limit > 0, try Self.epoch(in: database) == epoch, let first = try JobRow.find(uid, in: database),
                first.isRunnable(at: now)
            else { return [] }
            var chosen = [first]
            if let archive = first.archive {
                try database.change(Pages.startJobsOfArchive, [archive.sql, now.sql])
                for query in [Pages.readyJobsOfArchive, Pages.overdueJobsOfArchive] {
                    chosen += try database.all(
                        query, [archive.sql, now.sql, pageLimit(limit)], from: "jobs", JobRow.init(reading:)
                    ).filter { $0.uid != uid }
                }
            }
            return try chosen.prefix(limit).map { job in
                var job = job
                job.state = .leased
                job.leaseEpoch = epoch
                job.leaseUntil = leaseUntil
                job.attempts &+= 1
                try database.change(
                    """
                    UPDATE jobs SET state = 'leased', waiting = 0, lease_epoch = ?, lease_until = ?, attempts = ?
                    WHERE uid = ?
                    """,
                    [epoch.sql(), leaseUntil.sql, job.attempts, job.uid.sql])
                return job
            }
        }
    }

    public func renewLeases(_ uids: [JobUID], epoch: UInt64, leaseUntil: Timestamp) async throws(StorageError) -> Set<
        JobUID
    > {
        guard !uids.isEmpty else { return [] }
        return try await write { database in
            var ours: Set<JobUID> = []
            for uid in uids {
                let renewed = try database.change(
                    "UPDATE jobs SET lease_until = ? WHERE uid = ? AND state = 'leased' AND lease_epoch = ?",
                    [leaseUntil.sql, uid.sql, epoch.sql()])
                if renewed > 0 { ours.insert(uid) }
            }
            return ours
        }
    }

    public func releaseJobs(_ uids: [JobUID], epoch: UInt64) async throws(StorageError) {
        guard !uids.isEmpty else { return }
        try await write { database in
            for uid in uids {
                try database.change(
                    """
                    UPDATE jobs SET state = 'queued', lease_epoch = NULL, lease_until = NULL,
                        attempts = MAX(0, attempts - 1)
                    WHERE uid = ? AND state = 'leased' AND lease_epoch = ?
                    """, [uid.sql, epoch.sql()])
            }
        }
    }

    static func epoch(in database: Database) throws -> UInt64 {
        try database.one("SELECT epoch FROM epochs WHERE id = 1", from: "epochs") { try $0.count() } ?? 0
    }

    /// Moves jobs whose `not_before` has come to where the search for runnable ones finds them. Once per job that was
    /// ever delayed, so the loop ends; nothing is written while none is due.
    private func startWaitingJobs(at now: Timestamp) async throws(StorageError) {
        let isDue = try await read { database in
            try database.number(Pages.startableJobs, [now.sql, 1], from: "jobs") != nil
        }
        var more = isDue
        while more {
            more = try await write { database in
                try database.change(
                    "UPDATE jobs SET waiting = 0 WHERE rowid IN (\(Pages.startableJobs))",
                    [now.sql, Self.startedPerChange])
                    == Int(Self.startedPerChange)
            }
        }
    }
}
