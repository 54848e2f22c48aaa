// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// The end of a vault: active ─ beginVaultDeletion ▶ deleting ─ finishVaultDeletion ▶ deleted ─ last removeArchive ▶ no
/// row.
extension SQLiteCatalog {
    public func beginVaultDeletion(
        _ uid: VaultUID, audit: AuditEntries
    ) async throws(StorageError) -> VaultDeletion {
        try await write { database in
            guard let vault = try VaultRow.find(uid, in: database) else { return .absent }
            switch vault.state {
            case .deleted: return .absent
            case .deleting: return .deleting(vault)
            case .active:
                guard vault.archiveCount == 0 else { return .notEmpty }
                try database.change("UPDATE vaults SET state = 'deleting' WHERE uid = ?", [uid.sql])
                try audit.append(in: database)
                var deleting = vault
                deleting.state = .deleting
                return .deleting(deleting)
            }
        }
    }

    /// `.conflict` when deletion of the vault has not begun.
    public func finishVaultDeletion(
        _ uid: VaultUID, generation: UInt64, at now: Timestamp, audit: AuditEntries
    ) async throws(StorageError) {
        try await write { database in
            switch try VaultRow.state(uid, in: database) {
            case nil, .deleted: return
            case .active: throw StorageError(.conflict, "vault \(uid) is active: begin its deletion first")
            case .deleting: break
            }
            try database.change(
                """
                INSERT INTO doomed (store, blob, not_before)
                SELECT 'cold', p.blob, ?2 FROM uploads u JOIN parts p ON p.upload = u.uid WHERE u.vault = ?1
                ON CONFLICT DO UPDATE SET not_before = min(not_before, excluded.not_before)
                """, [uid.sql, now.sql])
            try database.change(
                """
                INSERT INTO doomed (store, blob, not_before) SELECT 'warm', blob, ?2 FROM staged WHERE vault = ?1
                ON CONFLICT DO UPDATE SET not_before = min(not_before, excluded.not_before)
                """, [uid.sql, now.sql])
            try database.change("DELETE FROM jobs WHERE vault = ?", [uid.sql])
            try database.change("DELETE FROM staged WHERE vault = ?", [uid.sql])
            try database.change("DELETE FROM uploads WHERE vault = ?", [uid.sql])
            try KeyReference.countArchivesOnly(of: uid, in: database)
            // The jobs that pinned deleted archives are gone: only the grace is left.
            try database.change(Pages.unpinArchives, [uid.sql])
            try database.change(
                "UPDATE vaults SET state = 'deleted', generation = ? WHERE uid = ?", [generation.sql(), uid.sql])
            try VaultRow.removeIfForgotten(uid, in: database)
            try audit.append(in: database)
        }
    }
}

extension VaultRow {
    /// Removes the row of a deleted vault, with its keys, once no archive refers to it.
    static func removeIfForgotten(_ uid: VaultUID, in database: Database) throws {
        try database.change(
            """
            DELETE FROM vaults WHERE uid = ?1 AND state = 'deleted'
                AND NOT EXISTS (SELECT 1 FROM key_references WHERE vault = ?1 AND count > 0)
            """, [uid.sql])
    }
}
