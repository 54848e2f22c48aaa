// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// Vaults, without their deletion.
extension SQLiteCatalog {
    /// `.alreadyExists` when the uid is taken by a vault of another location.
    public func createVault(
        _ vault: VaultRow, limit: Int, audit: AuditEntries
    ) async throws(StorageError) -> VaultCreation {
        try await write { database in
            if let existing = try VaultRow.find(at: vault.location, in: database) { return .exists(existing) }
            let (account, region) = (vault.location.account.digits, vault.location.region.code)
            let count = try database.number(
                "SELECT count(*) FROM vaults WHERE account = ? AND region = ? AND state != 'deleted'",
                [account, region], from: "vaults")
            guard (count ?? 0) < Int64(limit) else { return .limitExceeded }
            try VaultRow.insert(vault, in: database)
            try audit.append(in: database)
            return .created
        }
    }

    public func vault(at location: VaultLocation) async throws(StorageError) -> VaultRow? {
        try await read { database in try VaultRow.find(at: location, in: database) }
    }

    public func vault(_ uid: VaultUID) async throws(StorageError) -> VaultRow? {
        try await read { database in try VaultRow.find(uid, in: database) }
    }

    public func vaults(
        account: AccountID, region: Region, from: VaultName?, limit: Int
    ) async throws(StorageError) -> [VaultRow] {
        try await read { database in
            try VaultRow.withKeys(
                database.all(
                    Pages.vaultsByName, [account.digits, region.code, from?.text ?? "", pageLimit(limit)],
                    from: "vaults",
                    VaultRow.init(reading:)), in: database)
        }
    }

    public func vaults(after: VaultUID?, limit: Int) async throws(StorageError) -> [VaultRow] {
        try await read { database in
            // No bytes at all sort before any uid, the all-zero one included.
            try VaultRow.withKeys(
                database.all(
                    Pages.vaultsByUID, [(after?.bytes ?? []).sql, pageLimit(limit)], from: "vaults",
                    VaultRow.init(reading:)),
                in: database)
        }
    }

    /// `.notFound` when no such vault exists, in whatever state. State, location and counts of `vault` are ignored.
    public func updateVault(
        _ vault: VaultRow, expectedGeneration: UInt64, audit: AuditEntries
    ) async throws(StorageError) {
        try await write { database in
            let found = try database.one(
                "SELECT generation, state FROM vaults WHERE uid = ?", [vault.uid.sql], from: "vaults"
            ) {
                (generation: try $0.count(), state: try $0.text())
            }
            guard let found else { throw StorageError(.notFound, "no vault \(vault.uid)") }
            // A deletion that has begun meanwhile keeps the generation; what was written for an active vault no longer holds.
            guard found.generation == expectedGeneration, found.state == vault.state.rawValue else {
                throw StorageError(
                    .conflict,
                    "vault \(vault.uid) is \(found.state) at generation \(found.generation), not \(vault.state) at \(expectedGeneration)")
            }
            try database.change(
                "UPDATE vaults SET generation = ?, compression = ?, settings_version = ?, settings = ? WHERE uid = ?",
                [
                    vault.generation.sql(), vault.compression, vault.settings?.keyVersion, vault.settings?.bytes.sql,
                    vault.uid.sql,
                ])
            try KeyReference.requireNone(vault.uid, outside: vault.keys.map(\.version), in: database)
            try database.change("DELETE FROM vault_keys WHERE vault = ?", [vault.uid.sql])
            try VaultRow.insertKeys(vault.keys, of: vault.uid, in: database)
            try audit.append(in: database)
        }
    }
}

extension VaultRow {
    static let columns = """
        uid, account, region, name, state, created, generation, compression, settings_version, settings, \
        archive_count, total_bytes, last_change
        """

    /// Without its keys, which are rows of their own.
    init(reading row: inout ColumnReader) throws {
        let uid: VaultUID = try row.uid()
        let location = VaultLocation(
            account: try row.parsed(AccountID.init), region: try row.parsed { Region($0) },
            name: try row.parsed { VaultName($0) })
        self.init(
            uid: uid, location: location, state: try row.word(), created: try row.timestamp(),
            generation: try row.count(),
            compression: try row.optionalText(), keys: [], settings: try row.optionalSealed(),
            archiveCount: try row.count(),
            totalBytes: try row.count(), lastChange: try row.optionalTimestamp())
    }

    static func find(_ uid: VaultUID, in database: Database) throws -> VaultRow? {
        try withKeys(
            database.all(
                "SELECT \(columns) FROM vaults WHERE uid = ?", [uid.sql], from: "vaults", VaultRow.init(reading:)),
            in: database
        ).first
    }

    /// The active or deleting vault of that name.
    static func find(at location: VaultLocation, in database: Database) throws -> VaultRow? {
        try withKeys(
            database.all(
                "SELECT \(columns) FROM vaults WHERE account = ? AND region = ? AND name = ? AND state != 'deleted'",
                [location.account.digits, location.region.code, location.name.text], from: "vaults",
                VaultRow.init(reading:)),
            in: database
        ).first
    }

    static func state(_ uid: VaultUID, in database: Database) throws -> State? {
        try database.one("SELECT state FROM vaults WHERE uid = ?", [uid.sql], from: "vaults") { try $0.word() }
    }

    static func withKeys(_ vaults: [VaultRow], in database: Database) throws -> [VaultRow] {
        try vaults.map { vault in
            var vault = vault
            vault.keys = try database.all(
                "SELECT version, created, master_version, wrapped FROM vault_keys WHERE vault = ? ORDER BY version",
                [vault.uid.sql],
                from: "vault_keys"
            ) { row in
                VaultKeyWrap(
                    version: try row.small(), created: try row.timestamp(), masterVersion: try row.small(),
                    wrapped: try row.bytes())
            }
            return vault
        }
    }

    /// With its keys and without counts.
    static func insert(_ vault: VaultRow, in database: Database) throws {
        try database.change(
            """
            INSERT INTO vaults (\(columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, NULL)
            """,
            [
                vault.uid.sql, vault.location.account.digits, vault.location.region.code, vault.location.name.text,
                vault.state.rawValue, vault.created.sql, vault.generation.sql(), vault.compression,
                vault.settings?.keyVersion, vault.settings?.bytes.sql,
            ])
        try insertKeys(vault.keys, of: vault.uid, in: database)
    }

    static func insertKeys(_ keys: [VaultKeyWrap], of vault: VaultUID, in database: Database) throws {
        for key in keys {
            try database.change(
                "INSERT INTO vault_keys (vault, version, created, master_version, wrapped) VALUES (?, ?, ?, ?, ?)",
                [vault.sql, key.version, key.created.sql, key.masterVersion, key.wrapped.sql])
        }
    }

    /// Moves the live counts (invariant 1 of ``Schema``).
    static func adjust(_ vault: VaultUID, archives: Int64, bytes: Int64, at moment: Timestamp, in database: Database)
        throws
    {
        try database.change(
            """
            UPDATE vaults SET archive_count = archive_count + ?, total_bytes = total_bytes + ?,
                last_change = max(coalesce(last_change, ?), ?) WHERE uid = ?
            """, [archives, bytes, moment.sql, moment.sql, vault.sql])
    }
}
