// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// The end of a vault: active ─ beginVaultDeletion ▶ deleting ─ finishVaultDeletion ▶ deleted ─ last removeArchive ▶ no
/// row.
extension SQLiteCatalog {
    public func beginVaultDeletion(_ uid: VaultUID) async throws(StorageError) -> VaultDeletion {
        try await write { database in
            guard let vault = try VaultRow.find(uid, in: database) else { return .absent }
            switch vault.state {
            case .deleted: return .absent
            case .deleting: return .deleting(vault)
            case .active:
                guard vault.archiveCount == 0 else { return .notEmpty }
                try database.change("UPDATE vaults SET state = 'deleting' WHERE uid = ?", [uid.sql])
                var deleting = vault
                deleting.state = .deleting
                return .deleting(deleting)
            }
        }
    }

    /// `.conflict` when deletion of the vault has not begun.
    public func finishVaultDeletion(_ uid: VaultUID, generation: UInt64, at now: Timestamp) async throws(StorageError) {
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
            try database.change(
                """
                UPDATE key_references SET count = count -
                    (SELECT count(*) FROM uploads u WHERE u.vault = ?1 AND u.state = 'open' AND u.key_version = version)
                WHERE vault = ?1
                """, [uid.sql])
            try database.change("DELETE FROM uploads WHERE vault = ?", [uid.sql])
            // The jobs that pinned deleted archives are gone: only the grace is left.
            try database.change(Pages.unpinArchives, [uid.sql])
            try database.change(
                "UPDATE vaults SET state = 'deleted', generation = ? WHERE uid = ?", [generation.sql(), uid.sql])
            try VaultRow.removeIfForgotten(uid, in: database)
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

/// How many archives and open uploads hang on a key version of a vault (invariant 2 of ``Schema``).
enum KeyReference {
    static func add(_ vault: VaultUID, version: UInt32, in database: Database) throws {
        try database.change(
            """
            INSERT INTO key_references (vault, version, count) VALUES (?, ?, 1)
            ON CONFLICT DO UPDATE SET count = count + 1
            """, [vault.sql, version])
    }

    static func remove(_ vault: VaultUID, version: UInt32, in database: Database) throws {
        try database.change(
            "UPDATE key_references SET count = count - 1 WHERE vault = ? AND version = ?", [vault.sql, version])
    }
}
