// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
import VaultModel

/// What concerns the service as a whole.
extension SQLiteCatalog {
    /// Archives count in any state: a deleted one needs its key until its bytes are gone. Reads a row for each account,
    /// user, topic, access key, vault and vault key; everything else is counted by an index or as it changes.
    public func keyReferences() async throws(StorageError) -> KeyReferences {
        try await read { database in
            KeyReferences(
                master: try KeyReferences.masters(in: database), vaults: try KeyReferences.vaults(in: database))
        }
    }

    public func fact(_ name: String) async throws(StorageError) -> String? {
        try await read { database in
            try database.one("SELECT value FROM facts WHERE name = ?", [name], from: "facts") { try $0.text() }
        }
    }

    public func setFact(_ name: String, _ value: String, audit: AuditEntries) async throws(StorageError) {
        try await write { database in
            _ = try database.change(
                "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                [name, value])
            try audit.append(in: database)
        }
    }

    /// Vaults that are not deleted; queued jobs include those that are being worked on. Walks the vaults and some
    /// narrow indexes: ask a few times a minute, not per request.
    public func totals() async throws(StorageError) -> CatalogTotals {
        try await read { database in try CatalogTotals.read(database) }
    }
}

extension CatalogTotals {
    static func read(_ database: Database) throws -> CatalogTotals {
        let totals = try database.one(
            """
            SELECT (SELECT count(*) FROM vaults WHERE state != 'deleted'),
                (SELECT coalesce(sum(archive_count), 0) FROM vaults),
                (SELECT coalesce(sum(total_bytes), 0) FROM vaults),
                (SELECT count(*) FROM uploads WHERE state = 'open'),
                (SELECT count(*) FROM jobs WHERE state = 'queued')
                    + (SELECT count(*) FROM jobs WHERE state = 'leased'),
                (SELECT count(*) FROM doomed),
                (SELECT count(*) FROM outbox WHERE state = 'waiting'),
                (SELECT count(*) FROM outbox WHERE state = 'dead')
            """, from: "vaults"
        ) { row in
            CatalogTotals(
                vaults: try row.count(), archives: try row.count(), bytes: try row.count(),
                openUploads: try row.count(),
                queuedJobs: try row.count(), doomedBlobs: try row.count(), waitingMessages: try row.count(),
                deadMessages: try row.count())
        }
        guard let totals else { throw StorageError(.integrity, "the catalog answered without a row") }
        return totals
    }
}

extension KeyReferences {
    /// Every row and column that a master key seals, under the version that it names.
    static func masters(in database: Database) throws -> [UInt32: UInt64] {
        let counts: [(UInt32, UInt64)] = try database.all(
            """
            SELECT master_version, count(*) FROM (
                SELECT master_version FROM vault_keys
                UNION ALL SELECT master_version FROM accounts
                UNION ALL SELECT settings_version FROM accounts WHERE settings_version IS NOT NULL
                UNION ALL SELECT sealed_version FROM users
                UNION ALL SELECT sealed_version FROM topics
                UNION ALL SELECT sealed_version FROM access_keys
                UNION ALL SELECT sealed_version FROM outbox
            ) GROUP BY master_version
            """, from: "vault_keys"
        ) { (try $0.small(), try $0.count()) }
        return Dictionary(uniqueKeysWithValues: counts)
    }

    /// Invariant 2 of ``Schema``, and the settings of vaults that still have a use for them.
    static func vaults(in database: Database) throws -> [VaultUID: [UInt32: UInt64]] {
        let counts: [(VaultUID, UInt32, UInt64)] = try database.all(
            """
            SELECT vault, version, sum(n) FROM (
                SELECT vault, version, count AS n FROM key_references WHERE count > 0
                UNION ALL SELECT uid, settings_version, 1 FROM vaults
                    WHERE settings_version IS NOT NULL AND state != 'deleted'
            ) GROUP BY vault, version
            """, from: "key_references"
        ) { (try $0.uid(), try $0.small(), try $0.count()) }
        var references: [VaultUID: [UInt32: UInt64]] = [:]
        for (vault, version, count) in counts { references[vault, default: [:]][version] = count }
        return references
    }
}
