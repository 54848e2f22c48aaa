// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// Jobs as rows; who owns them is in `JobLeases.swift`, how they end in `JobOutcomes.swift`.
///
///     insertJob ▶ queued ─ claimJobs ▶ leased ─ finishJob ▶ succeeded or failed ─ expireJobs ▶ no row
///                   ▲                    │
///                   └─ releaseJobs, beginEpoch (and claimJobs takes over once the lease is overdue)
extension SQLiteCatalog {
    /// `.conflict` when the admission is for another region than the vault's.
    public func insertJob(
        _ job: JobRow, admission: JobAdmission?, audit: AuditEntries
    ) async throws(StorageError) -> JobInsertion {
        try await write { database in
            let vault: (state: VaultRow.State, region: Region)? = try database.one(
                "SELECT state, region FROM vaults WHERE uid = ?", [job.vault.sql], from: "vaults"
            ) { (state: try $0.word(), region: try $0.parsed { Region($0) }) }
            guard let vault, vault.state == .active else { return .vaultGone }
            var job = job
            job.isProvisioned = false
            if let admission {
                guard admission.region == vault.region else {
                    throw StorageError(
                        .conflict,
                        "the job's vault is in \(vault.region), not in \(admission.region): a defect of the caller")
                }
                if let bytes = try admission.bytesInTheWay(of: job, in: database) { return .overQuota(bytes: bytes) }
                job.isProvisioned = try admission.isProvisioned(job, in: database)
            }
            try JobRow.insert(job, region: vault.region, in: database)
            try audit.append(in: database)
            return .inserted(isProvisioned: job.isProvisioned)
        }
    }

    public func job(_ uid: JobUID) async throws(StorageError) -> JobRow? {
        try await read { database in try JobRow.find(uid, in: database) }
    }

    /// `.notFound` when the job to continue after has expired meanwhile: start again.
    public func jobs(
        vault: VaultUID, after: JobUID?, states: Set<JobRow.State>, limit: Int
    ) async throws(StorageError) -> [JobRow] {
        guard !states.isEmpty else { return [] }
        let query = Pages.jobs(states)
        return try await read { database in
            var start: (created: Int64, uid: [UInt8]) = (.min, [])
            if let after {
                guard let row = try JobRow.find(after, in: database), row.vault == vault else {
                    throw StorageError(.notFound, "no job \(after) to continue after; list from the start")
                }
                start = (row.created.milliseconds, after.bytes)
            }
            return try database.all(
                query, [vault.sql, start.created, start.uid.sql, pageLimit(limit)], from: "jobs", JobRow.init(reading:))
        }
    }
}

extension JobRow {
    static let columns = """
        uid, id, vault, account, action, tier, state, created, not_before, deadline, archive, archive_id, \
        archive_size, range_first, range_last, provisioned, sealed_version, sealed, completed, expires, staged, output_bytes, \
        lease_epoch, lease_until, attempts
        """

    init(reading row: inout ColumnReader) throws {
        self.init(
            uid: try row.uid(), id: try row.text(), vault: try row.uid(), account: try row.parsed(AccountID.init),
            action: try row.word(), tier: try row.optionalText(), state: try row.word(), created: try row.timestamp(),
            notBefore: try row.timestamp(), deadline: try row.timestamp(), archive: try row.optionalUID(),
            archiveID: try row.optionalText(), archiveSize: try row.optionalCount(), range: try row.optionalRange(),
            isProvisioned: try row.flag(), sealed: try row.sealed(), completed: try row.optionalTimestamp(),
            expires: try row.optionalTimestamp(),
            staged: try row.optionalUID(), outputBytes: try row.optionalCount(), leaseEpoch: try row.optionalCount(),
            leaseUntil: try row.optionalTimestamp(), attempts: try row.small())
    }

    static func find(_ uid: JobUID, in database: Database) throws -> JobRow? {
        try database.one("SELECT \(columns) FROM jobs WHERE uid = ?", [uid.sql], from: "jobs", JobRow.init(reading:))
    }

    static func insert(_ job: JobRow, region: Region, in database: Database) throws {
        try database.change(
            """
            INSERT INTO jobs (\(columns), region, waiting)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                job.uid.sql, job.id, job.vault.sql, job.account.digits, job.action.rawValue, job.tier,
                job.state.rawValue, job.created.sql, job.notBefore.sql, job.deadline.sql, job.archive?.sql,
                job.archiveID, job.archiveSize?.sql(), job.range?.first.sql(), job.range?.last.sql(),
                job.isProvisioned ? 1 : 0, job.sealed.keyVersion, job.sealed.bytes.sql, job.completed?.sql,
                job.expires?.sql, job.staged?.sql, job.outputBytes?.sql(), job.leaseEpoch?.sql(),
                job.leaseUntil?.sql, job.attempts, region.code, job.notBefore > job.created ? 1 : 0,
            ])
        try KeyReference.add(job.vault, version: job.sealed.keyVersion, in: database)
    }

    /// Earliest deadline first; creation and uid make it a total order.
    static func isMoreUrgent(_ left: JobRow, _ right: JobRow) -> Bool {
        (left.deadline, left.created, left.uid) < (right.deadline, right.created, right.uid)
    }

    func isRunnable(at now: Timestamp) -> Bool {
        switch state {
        case .queued: notBefore <= now
        case .leased: leaseUntil.map { $0 <= now } ?? true
        case .succeeded, .failed: false
        }
    }
}
