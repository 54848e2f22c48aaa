// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// How jobs end, and the staged objects that hold their output.
extension SQLiteCatalog {
    /// `.conflict` when `job` points to a staged object that neither is given nor exists (any more): stage the output
    /// again.
    public func finishJob(
        _ job: JobRow, epoch: UInt64, staged: StagedRow?, messages: [OutboxRow], audit: AuditEntries
    ) async throws(StorageError) -> JobFinish {
        precondition(job.state == .succeeded || job.state == .failed, "a job is finished as succeeded or failed")
        precondition(messages.allSatisfy { $0.job == job.uid }, "a job is finished with messages about itself")
        return try await write { database in
            guard let held = try JobRow.find(job.uid, in: database), held.state == .leased, held.leaseEpoch == epoch,
                try Self.epoch(in: database) == epoch
            else { return .leaseLost }
            if job.state == .succeeded, held.action == .archiveRetrieval {
                guard let archive = held.archive, try ArchiveRow.find(archive, in: database)?.state == .stored else {
                    return .archiveDeleted
                }
            }
            if let wanted = job.staged {
                if let staged, staged.uid == wanted { try StagedRow.insertIfAbsent(staged, in: database) }
                guard try StagedRow.find(wanted, in: database) != nil else {
                    throw StorageError(.conflict, "the staged object \(wanted) is gone; stage the output again")
                }
            }
            try database.change(
                """
                UPDATE jobs SET state = ?, sealed_version = ?, sealed = ?, completed = ?, expires = ?, staged = ?,
                    output_bytes = ?, lease_epoch = NULL, lease_until = NULL WHERE uid = ?
                """,
                [
                    job.state.rawValue, job.sealed.keyVersion, job.sealed.bytes.sql, job.completed?.sql,
                    job.expires?.sql,
                    job.staged?.sql, job.outputBytes?.sql(), job.uid.sql,
                ])
            try KeyReference.move(
                held.vault, from: held.sealed.keyVersion, to: job.sealed.keyVersion, in: database)
            try OutboxRow.insert(messages, in: database)
            try audit.append(in: database)
            return .finished
        }
    }

    public func staged(_ uid: StagedUID) async throws(StorageError) -> StagedRow? {
        try await read { database in try StagedRow.find(uid, in: database) }
    }

    /// The newest, when several hold it.
    public func staged(archive: ArchiveUID, range: ByteRange) async throws(StorageError) -> StagedRow? {
        try await read { database in
            try database.one(
                Pages.stagedRange, [archive.sql, range.first.sql(), range.last.sql()], from: "staged",
                StagedRow.init(reading:))
        }
    }

    /// A job whose `expires` is `now` has expired.
    public func expireJobs(at now: Timestamp, limit: Int) async throws(StorageError) -> Int {
        try await write { database in
            let expired: [(uid: JobUID, staged: StagedUID?, vault: VaultUID, version: UInt32)] = try database.all(
                Pages.expiredJobs, [now.sql, pageLimit(limit)], from: "jobs"
            ) {
                (
                    uid: try $0.uid(), staged: try $0.optionalUID(), vault: try $0.uid(), version: try $0.small()
                )
            }
            for job in expired {
                try database.change("DELETE FROM jobs WHERE uid = ?", [job.uid.sql])
                try KeyReference.remove(job.vault, version: job.version, in: database)
            }
            for staged in Set(expired.compactMap(\.staged)) {
                try StagedRow.removeIfUnneeded(staged, at: now, in: database)
            }
            return expired.count
        }
    }
}

extension StagedRow {
    static let columns =
        "uid, vault, blob, blob_bytes, archive, range_first, range_last, created, sealed_version, sealed"

    init(reading row: inout ColumnReader) throws {
        self.init(
            uid: try row.uid(), vault: try row.uid(), blob: try row.text(), blobBytes: try row.count(),
            archive: try row.optionalUID(),
            range: try row.optionalRange(), created: try row.timestamp(), sealed: try row.sealed())
    }

    static func find(_ uid: StagedUID, in database: Database) throws -> StagedRow? {
        try database.one(
            "SELECT \(columns) FROM staged WHERE uid = ?", [uid.sql], from: "staged", StagedRow.init(reading:))
    }

    static func insertIfAbsent(_ staged: StagedRow, in database: Database) throws {
        let inserted = try database.change(
            "INSERT INTO staged (\(columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO NOTHING",
            [
                staged.uid.sql, staged.vault.sql, staged.blob, staged.blobBytes.sql(), staged.archive?.sql,
                staged.range?.first.sql(), staged.range?.last.sql(), staged.created.sql, staged.sealed.keyVersion,
                staged.sealed.bytes.sql,
            ])
        if inserted > 0 { try KeyReference.add(staged.vault, version: staged.sealed.keyVersion, in: database) }
    }

    /// Every staged output of an archive, with the jobs that point to it; returns the doomed blobs.
    static func removeAll(of archive: ArchiveUID, at now: Timestamp, in database: Database) throws -> [String] {
        let jobs: [(uid: JobUID, staged: StagedUID?, vault: VaultUID, version: UInt32)] = try database.all(
            Pages.stagedJobsOfArchive, [archive.sql], from: "jobs"
        ) {
            (uid: try $0.uid(), staged: try $0.optionalUID(), vault: try $0.uid(), version: try $0.small())
        }
        for job in jobs {
            try database.change("DELETE FROM jobs WHERE uid = ?", [job.uid.sql])
            try KeyReference.remove(job.vault, version: job.version, in: database)
        }
        var blobs: [String] = []
        for staged in Set(jobs.compactMap(\.staged)) {
            if let row = try find(staged, in: database) { blobs.append(row.blob) }
            try removeIfUnneeded(staged, at: now, in: database)
        }
        return blobs.sorted()
    }

    /// Invariant 3 of ``Schema``: goes, with its blob doomed, in the transaction that took its last job.
    static func removeIfUnneeded(_ uid: StagedUID, at now: Timestamp, in database: Database) throws {
        guard try database.number("SELECT 1 FROM jobs WHERE staged = ? LIMIT 1", [uid.sql], from: "jobs") == nil,
            let staged = try find(uid, in: database)
        else { return }
        try DoomedBlob.insert(DoomedBlob(id: staged.blob, store: .warm, notBefore: now), in: database)
        try database.change("DELETE FROM staged WHERE uid = ?", [uid.sql])
        try KeyReference.remove(staged.vault, version: staged.sealed.keyVersion, in: database)
    }
}
