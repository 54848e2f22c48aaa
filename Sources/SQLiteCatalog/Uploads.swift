// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// Multipart uploads: open ─ commitArchive ▶ completed, open ─ abortUpload ▶ aborted; removeClosedUploads forgets both.
extension SQLiteCatalog {
    public func insertUpload(_ upload: UploadRow, audit: AuditEntries) async throws(StorageError) -> Bool {
        try await write { database in
            guard try VaultRow.state(upload.vault, in: database) == .active else { return false }
            try KeyReference.require(upload.vault, version: upload.keyVersion, in: database)
            try UploadRow.insert(upload, in: database)
            if upload.state == .open {
                try KeyReference.add(upload.vault, versions: upload.keyVersions, in: database)
            }
            try audit.append(in: database)
            return true
        }
    }

    public func upload(_ uid: UploadUID) async throws(StorageError) -> UploadRow? {
        try await read { database in try UploadRow.find(uid, in: database) }
    }

    /// `.notFound` when the upload to continue after is not in the catalog any more: start again.
    public func uploads(vault: VaultUID, after: UploadUID?, limit: Int) async throws(StorageError) -> [UploadRow] {
        try await read { database in
            var start: (created: Int64, uid: [UInt8]) = (.min, [])
            if let after {
                guard let row = try UploadRow.find(after, in: database), row.vault == vault else {
                    throw StorageError(.notFound, "no upload \(after) to continue after; list from the start")
                }
                start = (row.created.milliseconds, after.bytes)
            }
            return try database.all(
                Pages.uploads, [vault.sql, start.created, start.uid.sql, pageLimit(limit)], from: "uploads",
                UploadRow.init(reading:))
        }
    }

    /// Aborting counts as activity, so that the upload is remembered as aborted for as long as any other closed one.
    public func abortUpload(
        _ uid: UploadUID, generation: UInt64, at now: Timestamp, record: String?, audit: AuditEntries
    ) async throws(StorageError) -> UploadAbort {
        try await write { database in
            guard let upload = try UploadRow.find(uid, in: database) else { return .absent }
            switch upload.state {
            case .aborted: return .alreadyAborted
            case .completed: return .completed
            case .open: break
            }
            try database.change(
                """
                INSERT INTO doomed (store, blob, not_before) SELECT 'cold', blob, ?2 FROM parts WHERE upload = ?1
                ON CONFLICT DO UPDATE SET not_before = min(not_before, excluded.not_before)
                """, [uid.sql, now.sql])
            try UploadRow.close(upload, as: .aborted, generation: generation, at: now, in: database)
            try DoomedBlob.takeBack(announced: record, in: database)
            try audit.append(in: database)
            return .aborted
        }
    }

    public func idleUploads(before: Timestamp, limit: Int) async throws(StorageError) -> [UploadRow] {
        try await read { database in
            try database.all(
                Pages.idleUploads, [before.sql, pageLimit(limit)], from: "uploads", UploadRow.init(reading:))
        }
    }

    public func removeClosedUploads(before: Timestamp, limit: Int) async throws(StorageError) {
        try await write { database in
            _ = try database.change(
                "DELETE FROM uploads WHERE uid IN (\(Pages.closedUploads))", [before.sql, pageLimit(limit)])
        }
    }
}

extension UploadRow {
    static let columns = """
        uid, id, vault, archive, archive_id, state, created, last_activity, part_bytes, generation, key_version, \
        revision, wrapped_data_key, sealed_version, sealed
        """

    init(reading row: inout ColumnReader) throws {
        self.init(
            uid: try row.uid(), id: try row.text(), vault: try row.uid(), archive: try row.uid(),
            archiveID: try row.text(),
            state: try row.word(), created: try row.timestamp(), lastActivity: try row.timestamp(),
            partBytes: try row.count(),
            generation: try row.count(), keyVersion: try row.small(), revision: try row.count(),
            wrappedDataKey: try row.bytes(),
            sealed: try row.sealed())
    }

    /// Not counted as a reference to its key version.
    static func insert(_ upload: UploadRow, in database: Database) throws {
        try database.change(
            "INSERT INTO uploads (\(columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                upload.uid.sql, upload.id, upload.vault.sql, upload.archive.sql, upload.archiveID, upload.state.rawValue,
                upload.created.sql, upload.lastActivity.sql, upload.partBytes.sql(), upload.generation.sql(),
                upload.keyVersion, upload.revision.sql(), upload.wrappedDataKey.sql, upload.sealed.keyVersion,
                upload.sealed.bytes.sql,
            ])
    }

    static func find(_ uid: UploadUID, in database: Database) throws -> UploadRow? {
        try database.one(
            "SELECT \(columns) FROM uploads WHERE uid = ?", [uid.sql], from: "uploads", UploadRow.init(reading:))
    }

    /// Ends an open upload: its parts are either an archive's now or doomed already, so their rows go. The wrapped data key goes, too:
    /// it is the manifest's from now on, and must not outlive that here.
    static func close(
        _ upload: UploadRow, as state: State, generation: UInt64, at moment: Timestamp, in database: Database
    ) throws {
        try database.change(
            """
            UPDATE uploads SET state = ?, generation = ?, last_activity = max(last_activity, ?), wrapped_data_key = x''
            WHERE uid = ?
            """,
            [state.rawValue, generation.sql(), moment.sql, upload.uid.sql])
        try KeyReference.removeParts(of: upload.uid, in: upload.vault, database)
        try database.change("DELETE FROM parts WHERE upload = ?", [upload.uid.sql])
        try KeyReference.remove(upload.vault, versions: upload.keyVersions, in: database)
    }
}
