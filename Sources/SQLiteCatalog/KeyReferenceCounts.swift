// SPDX-License-Identifier: Apache-2.0

import GRDB
import Storage
import VaultModel

/// What hangs on a key version of a vault (invariant 2 of ``Schema``).
enum KeyReference {
    static func add(_ vault: VaultUID, version: UInt32, count: Int64 = 1, in database: Database) throws {
        try database.change(
            """
            INSERT INTO key_references (vault, version, count) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET count = count + excluded.count
            """, [vault.sql, version, count])
    }

    /// What is sealed under a version that was destroyed since the seal was begun must never be acknowledged: nobody could open it.
    static func require(_ vault: VaultUID, version: UInt32, in database: Database) throws {
        // The newest version is never destroyed.
        let isGone = try database.number(
            """
            SELECT 1 FROM vault_keys WHERE vault = ?1 AND version > ?2
                AND NOT EXISTS (SELECT 1 FROM vault_keys WHERE vault = ?1 AND version = ?2) LIMIT 1
            """, [vault.sql, version], from: "vault_keys")
        guard isGone == nil else {
            throw StorageError(.transient, "version \(version) of the key of vault \(vault) was destroyed meanwhile; send it again")
        }
    }

    /// The other side of ``require(_:version:in:)``: a version that something was sealed under since the proof stays.
    static func requireNone(_ vault: VaultUID, outside kept: [UInt32], in database: Database) throws {
        let named: [UInt32] = try database.all(
            "SELECT version FROM vault_keys JOIN key_references USING (vault, version) WHERE vault = ? AND count > 0", [vault.sql],
            from: "vault_keys"
        ) { try $0.small() }
        guard let version = named.first(where: { !kept.contains($0) }) else { return }
        throw StorageError(.transient, "something hangs on version \(version) of the key of vault \(vault) again: it is kept")
    }

    static func remove(_ vault: VaultUID, version: UInt32, count: Int64 = 1, in database: Database) throws {
        try database.change(
            "UPDATE key_references SET count = count - ? WHERE vault = ? AND version = ?",
            [count, vault.sql, version])
    }

    /// Moves one reference; nothing is written when it stays where it is.
    static func move(_ vault: VaultUID, from old: UInt32, to new: UInt32, in database: Database) throws {
        guard old != new else { return }
        try remove(vault, version: old, in: database)
        try add(vault, version: new, in: database)
    }

    static func add(_ vault: VaultUID, versions: [UInt32], in database: Database) throws {
        for version in versions { try add(vault, version: version, in: database) }
    }

    static func remove(_ vault: VaultUID, versions: [UInt32], in database: Database) throws {
        for version in versions { try remove(vault, version: version, in: database) }
    }

    /// All parts of an upload that are about to go.
    static func removeParts(of upload: UploadUID, in vault: VaultUID, _ database: Database) throws {
        let counts: [(version: UInt32, count: Int64)] = try database.all(
            "SELECT sealed_version, count(*) FROM parts WHERE upload = ? GROUP BY sealed_version", [upload.sql],
            from: "parts"
        ) { (version: try $0.small(), count: try $0.integer()) }
        for (version, count) in counts { try remove(vault, version: version, count: count, in: database) }
    }

    /// Of a vault whose uploads, jobs and staged objects have just gone.
    static func countArchivesOnly(of vault: VaultUID, in database: Database) throws {
        try database.change(
            """
            UPDATE key_references SET count =
                (SELECT count(*) FROM archives WHERE vault = ?1 AND key_version = version)
                + (SELECT count(*) FROM archives
                    WHERE vault = ?1 AND sealed_version = version AND sealed_version != key_version)
            WHERE vault = ?1
            """, [vault.sql])
    }
}

extension ArchiveRow {
    /// The versions it hangs on, each once.
    var keyVersions: [UInt32] { sealed.keyVersion == keyVersion ? [keyVersion] : [keyVersion, sealed.keyVersion] }
}

extension UploadRow {
    /// The versions it hangs on, its parts aside, each once.
    var keyVersions: [UInt32] { sealed.keyVersion == keyVersion ? [keyVersion] : [keyVersion, sealed.keyVersion] }
}
