// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
public import Storage
public import VaultModel

/// Archives: stored ─ deleteArchive ▶ deleted ─ removeArchive ▶ no row.
extension SQLiteCatalog {
    /// `.notFound` when the upload is unknown or of another vault, `.alreadyExists` when the uid is taken, `.transient` when the vault does not
    /// have the archive's key version any more. Completing
    /// an upload counts as activity of it, so that it is remembered for as long as any other closed upload.
    public func commitArchive(
        _ archive: ArchiveRow, from upload: (uid: UploadUID, revision: UInt64)?, audit: AuditEntries
    ) async throws(StorageError) -> ArchiveCommit {
        let (source, revision) = (upload?.uid, upload?.revision)
        return try await write { database in
            guard try VaultRow.state(archive.vault, in: database) == .active else { return .vaultGone }
            try KeyReference.require(archive.vault, version: archive.keyVersion, in: database)
            if let source {
                let found = try database.one(
                    "SELECT \(UploadRow.columns) FROM uploads WHERE uid = ?", [source.sql], from: "uploads",
                    UploadRow.init(reading:))
                guard let found, found.vault == archive.vault else {
                    throw StorageError(.notFound, "no upload \(source) in the vault of the archive")
                }
                guard found.state == .open else { return .uploadClosed(found.state) }
                guard found.revision == revision else { return .uploadChanged }
                try UploadRow.close(
                    found, as: .completed, generation: found.generation, at: archive.created, in: database)
            }
            try ArchiveRow.insert(archive, in: database)
            try audit.append(in: database)
            return .stored
        }
    }

    public func archive(_ uid: ArchiveUID) async throws(StorageError) -> ArchiveRow? {
        try await read { database in try ArchiveRow.find(uid, in: database) }
    }

    public func archives(
        vault: VaultUID, after: ArchivePosition?, from: Timestamp?, until: Timestamp?, limit: Int
    ) async throws(StorageError) -> [ArchiveRow] {
        // One strict lower bound out of two: the position, or the end of the millisecond before `from`.
        var start: (created: Int64, uid: Data) = (Int64.min, Data())
        if let after { start = (after.created.milliseconds, after.uid.sql) }
        if let from, start.created < from.milliseconds {
            start = (from.milliseconds - 1, Data(repeating: 0xFF, count: 17))
        }
        let last: Int64
        if let until {
            guard until.milliseconds > Int64.min else { return [] }
            last = until.milliseconds - 1
        } else {
            last = Int64.max
        }
        let values: [any DatabaseValueConvertible & Sendable] = [
            vault.sql, start.created, start.uid, last, pageLimit(limit),
        ]
        return try await read { database in
            try database.all(Pages.archives, values, from: "archives", ArchiveRow.init(reading:))
        }
    }

    public func deleteArchive(
        _ uid: ArchiveUID, at now: Timestamp, purgeAfter: Timestamp, vaultGeneration: UInt64?, record: String?, audit: AuditEntries
    ) async throws(StorageError) -> ArchiveDeletion {
        try await write { database in
            guard let archive = try ArchiveRow.find(uid, in: database), archive.state == .stored else {
                return .alreadyDeleted
            }
            if let vaultGeneration {
                let generation = try database.one(
                    "SELECT generation FROM vaults WHERE uid = ?", [archive.vault.sql], from: "vaults"
                ) { try $0.count() }
                guard generation == vaultGeneration else { return .vaultChanged }
            }
            // Invariant 4 of Schema: outputs served in place keep the bytes; no further one can succeed from now on.
            let pinned = try database.number(Pages.pinnedUntil, [uid.sql], from: "jobs")
            try database.change(
                "UPDATE archives SET state = 'deleted', deleted = ?, purge_after = ?, purgeable_at = ? WHERE uid = ?",
                [now.sql, purgeAfter.sql, max(purgeAfter.milliseconds, pinned ?? .min), uid.sql])
            try VaultRow.adjust(archive.vault, archives: -1, bytes: -archive.size.sql(), at: now, in: database)
            try DoomedBlob.takeBack(announced: record, in: database)
            try audit.append(in: database)
            return .deleted
        }
    }

    public func purgeableArchives(at now: Timestamp, limit: Int) async throws(StorageError) -> [ArchiveRow] {
        try await read { database in
            try database.all(
                Pages.purgeableArchives, [now.sql, pageLimit(limit)], from: "archives", ArchiveRow.init(reading:))
        }
    }

    public func removeArchive(
        _ uid: ArchiveUID, expectedGeneration: UInt64, audit: AuditEntries
    ) async throws(StorageError) {
        try await write { database in
            guard let archive = try ArchiveRow.find(uid, in: database) else { return }
            guard archive.state == .deleted else { throw StorageError(.conflict, "archive \(uid) is not deleted") }
            guard archive.generation == expectedGeneration else {
                throw StorageError(.conflict, "archive \(uid) is at generation \(archive.generation), not \(expectedGeneration)")
            }
            try database.change("DELETE FROM archives WHERE uid = ?", [uid.sql])
            try KeyReference.remove(archive.vault, versions: archive.keyVersions, in: database)
            try VaultRow.removeIfForgotten(archive.vault, in: database)
            try audit.append(in: database)
        }
    }
}

extension ArchiveRow {
    static let columns = """
        uid, id, vault, state, created, size, part_count, generation, key_version, sealed_version, sealed, \
        deleted, purge_after, verified, damaged, damage
        """

    init(reading row: inout ColumnReader) throws {
        self.init(
            uid: try row.uid(), id: try row.text(), vault: try row.uid(), state: try row.word(),
            created: try row.timestamp(),
            size: try row.count(), partCount: try row.small(), generation: try row.count(), keyVersion: try row.small(),
            sealed: try row.sealed(), deleted: try row.optionalTimestamp(), purgeAfter: try row.optionalTimestamp(),
            verified: try row.optionalTimestamp(), damage: try Self.damage(&row))
    }

    private static func damage(_ row: inout ColumnReader) throws -> ArchiveDamage? {
        let found = try row.optionalTimestamp()
        let reason = try row.optionalText()
        guard let found, let reason else { return nil }
        return ArchiveDamage(found: found, reason: reason)
    }

    static func find(_ uid: ArchiveUID, in database: Database) throws -> ArchiveRow? {
        try database.one(
            "SELECT \(columns) FROM archives WHERE uid = ?", [uid.sql], from: "archives", ArchiveRow.init(reading:))
    }

    static func insert(_ archive: ArchiveRow, in database: Database) throws {
        try insertUncounted(archive, in: database)
        try KeyReference.add(archive.vault, versions: archive.keyVersions, in: database)
        if archive.state == .stored {
            try VaultRow.adjust(
                archive.vault, archives: 1, bytes: archive.size.sql(), at: archive.created, in: database)
        }
    }

    /// In whatever state it is: a rebuild also brings back deleted archives that wait for their grace. The caller counts.
    static func insertUncounted(_ archive: ArchiveRow, in database: Database) throws {
        let purgeAfter = archive.state == .deleted ? archive.purgeAfter ?? archive.deleted ?? archive.created : nil
        try database.change(
            """
            INSERT INTO archives (\(columns), purgeable_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                archive.uid.sql, archive.id, archive.vault.sql, archive.state.rawValue, archive.created.sql,
                archive.size.sql(),
                archive.partCount, archive.generation.sql(), archive.keyVersion, archive.sealed.keyVersion,
                archive.sealed.bytes.sql,
                archive.deleted?.sql, purgeAfter?.sql, archive.verified?.sql, archive.damage?.found.sql,
                archive.damage?.reason, purgeAfter?.sql,
            ])
    }
}
