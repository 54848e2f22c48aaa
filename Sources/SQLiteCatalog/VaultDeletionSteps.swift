// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// What hangs on a vault that is going, removed in transactions of a bounded size; the last one is then short.
extension SQLiteCatalog {
    public func shrinkDeletingVault(
        _ uid: VaultUID, at now: Timestamp, limit: Int
    ) async throws(StorageError) -> Bool {
        try await write { database in
            guard try VaultRow.state(uid, in: database) == .deleting else { return false }
            let limit = pageLimit(max(1, limit))
            if try Self.removeJobs(of: uid, at: now, limit, database) > 0 { return true }
            // The jobs that pinned deleted archives are gone: only the grace is left.
            if try database.change(Pages.unpinSomeArchives, [uid.sql, limit]) > 0 { return true }
            if try Self.removeParts(of: uid, at: now, limit, database) > 0 { return true }
            return try Self.removeUploads(of: uid, limit, database) > 0
        }
    }

    private static func removeJobs(
        of vault: VaultUID, at now: Timestamp, _ limit: SQLValue, _ database: Database
    ) throws -> Int {
        let jobs: [(uid: JobUID, staged: StagedUID?, version: UInt32)] = try database.all(
            "SELECT uid, staged, sealed_version FROM jobs WHERE vault = ? LIMIT ?", [vault.sql, limit], from: "jobs"
        ) { (uid: try $0.uid(), staged: try $0.optionalUID(), version: try $0.small()) }
        for job in jobs {
            try database.change("DELETE FROM jobs WHERE uid = ?", [job.uid.sql])
            try KeyReference.remove(vault, version: job.version, in: database)
        }
        for staged in Set(jobs.compactMap(\.staged)) {
            try StagedRow.removeIfUnneeded(staged, at: now, in: database)
        }
        return jobs.count
    }

    private static func removeParts(
        of vault: VaultUID, at now: Timestamp, _ limit: SQLValue, _ database: Database
    ) throws -> Int {
        let parts: [(upload: UploadUID, position: UInt64, blob: String, version: UInt32)] = try database.all(
            """
            SELECT p.upload, p.position, p.blob, p.sealed_version FROM uploads u JOIN parts p ON p.upload = u.uid WHERE u.vault = ? LIMIT ?
            """, [vault.sql, limit], from: "parts"
        ) { (upload: try $0.uid(), position: try $0.count(), blob: try $0.text(), version: try $0.small()) }
        for part in parts {
            try DoomedBlob.insert(DoomedBlob(id: part.blob, store: .cold, notBefore: now), in: database)
            try database.change(
                "DELETE FROM parts WHERE upload = ? AND position = ?", [part.upload.sql, part.position.sql()])
            try KeyReference.remove(vault, version: part.version, in: database)
        }
        return parts.count
    }

    /// Of uploads whose parts are gone.
    private static func removeUploads(
        of vault: VaultUID, _ limit: SQLValue, _ database: Database
    ) throws -> Int {
        let uploads: [(uid: UploadUID, isOpen: Bool, versions: Set<UInt32>)] = try database.all(
            "SELECT uid, state = 'open', key_version, sealed_version FROM uploads WHERE vault = ? LIMIT ?",
            [vault.sql, limit], from: "uploads"
        ) { (uid: try $0.uid(), isOpen: try $0.flag(), versions: [try $0.small(), try $0.small()]) }
        for upload in uploads {
            // A closed one was counted down when it was closed.
            if upload.isOpen { try KeyReference.remove(vault, versions: Array(upload.versions), in: database) }
            try database.change("DELETE FROM uploads WHERE uid = ?", [upload.uid.sql])
        }
        return uploads.count
    }
}
