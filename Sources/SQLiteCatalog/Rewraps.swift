// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// Moving what hangs on one key version of a vault to another.
extension SQLiteCatalog {
    public func archivesUnderKey(
        vault: VaultUID, version: UInt32, limit: Int
    ) async throws(StorageError) -> [ArchiveRow] {
        try await read { database in
            let bounded = pageLimit(limit)
            var found: [ArchiveRow] = []
            for query in [Pages.archivesUnderKey, Pages.archivesWithColumnUnderKey] where found.count < Int(bounded) {
                found += try database.all(
                    query, [vault.sql, version, bounded - Int64(found.count)], from: "archives",
                    ArchiveRow.init(reading:))
            }
            return found
        }
    }

    public func rewrapArchives(
        _ changes: [ArchiveRewrap], audit: AuditEntries
    ) async throws(StorageError) -> Set<ArchiveUID> {
        guard !changes.isEmpty else { return [] }
        return try await write { database in
            var done: Set<ArchiveUID> = []
            for change in changes {
                guard let held = try ArchiveRow.find(change.uid, in: database),
                    held.generation == change.expectedGeneration
                else { continue }
                try database.change(
                    "UPDATE archives SET generation = ?, key_version = ?, sealed_version = ?, sealed = ? WHERE uid = ?",
                    [
                        change.newGeneration.sql(), change.newKeyVersion, change.newSealed.keyVersion,
                        change.newSealed.bytes.sql, change.uid.sql,
                    ])
                var next = held
                next.keyVersion = change.newKeyVersion
                next.sealed = change.newSealed
                try KeyReference.remove(held.vault, versions: held.keyVersions, in: database)
                try KeyReference.add(held.vault, versions: next.keyVersions, in: database)
                done.insert(change.uid)
            }
            if !done.isEmpty { try audit.append(in: database) }
            return done
        }
    }

    /// Reads every open upload of the vault and asks for its parts: uploads are few beside archives.
    public func uploadsUnderKey(
        vault: VaultUID, version: UInt32, limit: Int
    ) async throws(StorageError) -> [UploadRow] {
        try await read { database in
            try database.all(
                Pages.uploadsUnderKey, [vault.sql, version, pageLimit(limit)], from: "uploads",
                UploadRow.init(reading:))
        }
    }

    /// `.notFound` when one of the parts is not the upload's.
    public func rewrapUpload(_ change: UploadRewrap, audit: AuditEntries) async throws(StorageError) -> Bool {
        try await write { database in
            guard let held = try UploadRow.find(change.uid, in: database), held.state == .open,
                held.generation == change.expectedGeneration, held.revision == change.expectedRevision
            else { return false }
            try database.change(
                """
                UPDATE uploads SET generation = ?, key_version = ?, wrapped_data_key = ?, sealed_version = ?, sealed = ?
                WHERE uid = ?
                """,
                [
                    change.newGeneration.sql(), change.newKeyVersion, change.newWrappedDataKey.sql,
                    change.newSealed.keyVersion, change.newSealed.bytes.sql, change.uid.sql,
                ])
            var next = held
            next.keyVersion = change.newKeyVersion
            next.sealed = change.newSealed
            try KeyReference.remove(held.vault, versions: held.keyVersions, in: database)
            try KeyReference.add(held.vault, versions: next.keyVersions, in: database)
            for (index, sealed) in change.newParts.sorted(by: { $0.key < $1.key }) {
                guard let part = try PartRow.find(change.uid, index, in: database) else {
                    throw StorageError(.notFound, "upload \(change.uid) has no part \(index)")
                }
                try database.change(
                    "UPDATE parts SET sealed_version = ?, sealed = ? WHERE upload = ? AND position = ?",
                    [sealed.keyVersion, sealed.bytes.sql, change.uid.sql, index])
                try KeyReference.move(
                    held.vault, from: part.sealed.keyVersion, to: sealed.keyVersion, in: database)
            }
            try audit.append(in: database)
            return true
        }
    }

    public func jobsUnderKey(vault: VaultUID, version: UInt32, limit: Int) async throws(StorageError) -> [JobRow] {
        try await read { database in
            try database.all(
                Pages.jobsUnderKey, [vault.sql, version, pageLimit(limit)], from: "jobs", JobRow.init(reading:))
        }
    }

    public func stagedUnderKey(
        vault: VaultUID, version: UInt32, limit: Int
    ) async throws(StorageError) -> [StagedRow] {
        try await read { database in
            try database.all(
                Pages.stagedUnderKey, [vault.sql, version, pageLimit(limit)], from: "staged", StagedRow.init(reading:))
        }
    }

    public func resealJobs(_ changes: [Reseal<JobUID>]) async throws(StorageError) -> Set<JobUID> {
        try await reseal(changes, in: "jobs")
    }

    public func resealStaged(_ changes: [Reseal<StagedUID>]) async throws(StorageError) -> Set<StagedUID> {
        try await reseal(changes, in: "staged")
    }

    private func reseal<UID: UniqueIdentifier>(
        _ changes: [Reseal<UID>], in table: String
    ) async throws(StorageError) -> Set<UID> {
        guard !changes.isEmpty else { return [] }
        return try await write { database in
            var done: Set<UID> = []
            for change in changes {
                let held: (vault: VaultUID, sealed: SealedColumnValue)? = try database.one(
                    "SELECT vault, sealed_version, sealed FROM \(table) WHERE uid = ?", [change.uid.sql], from: table
                ) { (vault: try $0.uid(), sealed: try $0.sealed()) }
                guard let held, held.sealed == change.old else { continue }
                try database.change(
                    "UPDATE \(table) SET sealed_version = ?, sealed = ? WHERE uid = ?",
                    [change.new.keyVersion, change.new.bytes.sql, change.uid.sql])
                try KeyReference.move(
                    held.vault, from: change.old.keyVersion, to: change.new.keyVersion, in: database)
                done.insert(change.uid)
            }
            return done
        }
    }
}
