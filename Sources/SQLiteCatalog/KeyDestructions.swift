// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
public import Storage
public import VaultModel

/// The end of key versions, and of archives that are not to wait for their grace.
///
///     putKeyDestruction ▶ certified ⇄ requested ─ finishKeyDestruction ▶ finished (the row stays, as evidence)
extension SQLiteCatalog {
    public func putKeyDestruction(_ destruction: KeyDestructionRow, audit: AuditEntries) async throws(StorageError) {
        try await write { database in
            try database.change(
                "INSERT OR REPLACE INTO key_destructions (\(KeyDestructionRow.columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                destruction.key.sql + [
                    destruction.certified.sql, destruction.certificate, destruction.requested?.sql,
                    destruction.due?.sql, destruction.finished?.sql, destruction.receipt,
                ])
            try audit.append(in: database)
        }
    }

    public func keyDestruction(_ key: KeyVersionName) async throws(StorageError) -> KeyDestructionRow? {
        try await read { database in try KeyDestructionRow.find(key, in: database) }
    }

    public func keyDestructions(
        after: KeyVersionName?, limit: Int
    ) async throws(StorageError) -> [KeyDestructionRow] {
        try await read { database in
            try database.all(
                Pages.keyDestructions, (after?.sql ?? ["", Data(), 0]) + [pageLimit(limit)], from: "key_destructions",
                KeyDestructionRow.init(reading:))
        }
    }

    public func cancelKeyDestruction(_ key: KeyVersionName, audit: AuditEntries) async throws(StorageError) -> Bool {
        try await write { database in
            let changed = try database.change(
                """
                UPDATE key_destructions SET requested = NULL, due = NULL
                WHERE scope = ? AND vault = ? AND version = ? AND requested IS NOT NULL AND finished IS NULL
                """, key.sql)
            if changed > 0 { try audit.append(in: database) }
            return changed > 0
        }
    }

    /// `.notFound` when it was not asked for. Idempotent once finished: the first receipt stays.
    public func finishKeyDestruction(
        _ key: KeyVersionName, at now: Timestamp, receipt: String?, audit: AuditEntries
    ) async throws(StorageError) {
        try await write { database in
            guard let held = try KeyDestructionRow.find(key, in: database), held.requested != nil else {
                throw StorageError(.notFound, "nobody has asked for the destruction of \(key)")
            }
            guard held.finished == nil else { return }
            guard try key.references(in: database) == 0 else {
                throw StorageError(.conflict, "something still hangs on \(key): re-wrap it first")
            }
            try database.change(
                """
                UPDATE key_destructions SET finished = ?4, receipt = ?5 WHERE scope = ?1 AND vault = ?2 AND version = ?3
                """, key.sql + [now.sql, receipt])
            try audit.append(in: database)
        }
    }

    public func purgeNow(
        _ archive: ArchiveUID, at now: Timestamp, audit: AuditEntries
    ) async throws(StorageError) -> PurgeNow {
        try await write { database in
            guard let held = try ArchiveRow.find(archive, in: database), held.state == .deleted else {
                return .notDeleted
            }
            let pinned = try database.number(Pages.pinnedUntil, [archive.sql], from: "jobs")
            let due = min(held.purgeAfter?.milliseconds ?? .max, now.milliseconds)
            try database.change(
                "UPDATE archives SET purge_after = ?, purgeable_at = ? WHERE uid = ?",
                [due, max(due, pinned ?? .min), archive.sql])
            try audit.append(in: database)
            if let pinned, pinned > now.milliseconds { return .pinned(until: Timestamp(milliseconds: pinned)) }
            return .due(outputs: try StagedRow.removeAll(of: archive, at: now, in: database))
        }
    }

    public func truncateLog() async throws(StorageError) {
        try await changes.truncateLog()
    }
}

extension KeyVersionName {
    /// Scope, vault and version; sorts as ``KeyCatalog/keyDestructions(after:limit:)`` lists.
    fileprivate var sql: [SQLValue] {
        switch self {
        case .master(let version): ["master", Data(), version]
        case .vault(let vault, let version): ["vault", vault.sql, version]
        }
    }

    fileprivate func references(in database: Database) throws -> UInt64 {
        switch self {
        case .master(let version): try KeyReferences.masters(in: database)[version] ?? 0
        case .vault(let vault, let version): try KeyReferences.vaults(in: database)[vault]?[version] ?? 0
        }
    }
}

extension KeyDestructionRow {
    static let columns = "scope, vault, version, certified, certificate, requested, due, finished, receipt"

    static func find(_ key: KeyVersionName, in database: Database) throws -> KeyDestructionRow? {
        try database.one(
            "SELECT \(columns) FROM key_destructions WHERE scope = ? AND vault = ? AND version = ?", key.sql,
            from: "key_destructions", KeyDestructionRow.init(reading:))
    }

    init(reading row: inout ColumnReader) throws {
        let isMaster = try row.text() == "master"
        let vault = VaultUID(bytes: try row.bytes())
        let version = try row.small()
        let key: KeyVersionName
        if isMaster {
            key = .master(version: version)
        } else {
            guard let vault else { throw CatalogFailure.column("key_destructions", 1) }
            key = .vault(vault, version: version)
        }
        self.init(
            key: key, certified: try row.timestamp(), certificate: try row.text(),
            requested: try row.optionalTimestamp(), due: try row.optionalTimestamp(),
            finished: try row.optionalTimestamp(), receipt: try row.optionalText())
    }
}
