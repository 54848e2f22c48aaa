// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// What is known about the bytes themselves: when they were last read and found good, and which nobody names.
extension SQLiteCatalog {
    public func archivesForScrub(
        order: ScrubOrder, before: Timestamp, limit: Int
    ) async throws(StorageError) -> [ArchiveRow] {
        let query =
            switch order {
            case .newestUnverified: Pages.newestUnverified
            case .oldestVerified: Pages.oldestVerified
            }
        return try await read { database in
            try database.all(query, [before.sql, pageLimit(limit)], from: "archives", ArchiveRow.init(reading:))
        }
    }

    public func recordVerifications(
        _ results: [ArchiveVerification], audit: AuditEntries
    ) async throws(StorageError) -> Set<ArchiveUID> {
        guard !results.isEmpty else { return [] }
        return try await write { database in
            var marked: Set<ArchiveUID> = []
            for result in results {
                guard let held = try ArchiveRow.find(result.uid, in: database), held.state == .stored,
                    held.generation == result.generation
                else { continue }
                let found = result.damage.map { _ in held.damage?.found ?? result.verified }
                try database.change(
                    "UPDATE archives SET verified = ?, damaged = ?, damage = ? WHERE uid = ?",
                    [result.verified.sql, found?.sql, result.damage, result.uid.sql])
                if (held.damage == nil) != (result.damage == nil) { marked.insert(result.uid) }
            }
            if !marked.isEmpty { try audit.append(in: database) }
            return marked
        }
    }

    public func oldestUnverified() async throws(StorageError) -> Timestamp? {
        try await read { database in
            let moments = try [Pages.oldestNeverVerified, Pages.oldestVerification].compactMap {
                try database.number($0, from: "archives")
            }
            return moments.min().map { Timestamp(milliseconds: $0) }
        }
    }

    public func damagedArchives(
        vault: VaultUID?, after: ArchiveUID?, limit: Int
    ) async throws(StorageError) -> [ArchiveRow] {
        // No bytes at all sort before any uid.
        let page: [any DatabaseValueConvertible & Sendable] = [(after?.bytes ?? []).sql, pageLimit(limit)]
        return try await read { database in
            if let vault {
                return try database.all(
                    Pages.damagedArchivesOfVault, [vault.sql] + page, from: "archives", ArchiveRow.init(reading:))
            }
            return try database.all(Pages.damagedArchives, page, from: "archives", ArchiveRow.init(reading:))
        }
    }

    /// The newest reason replaces an older one.
    public func putQuarantine(_ blobs: [QuarantinedBlob]) async throws(StorageError) {
        guard !blobs.isEmpty else { return }
        try await write { database in
            for blob in blobs {
                try database.change(
                    """
                    INSERT INTO quarantine (store, blob, found, reason) VALUES (?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET reason = excluded.reason
                    """, [blob.store.rawValue, blob.blob, blob.found.sql, blob.reason])
            }
        }
    }

    public func quarantine(after: QuarantinedBlob?, limit: Int) async throws(StorageError) -> [QuarantinedBlob] {
        try await read { database in
            try database.all(
                Pages.quarantine, [after?.store.rawValue ?? "", after?.blob ?? "", pageLimit(limit)],
                from: "quarantine"
            ) { row in
                QuarantinedBlob(
                    store: try row.word(), blob: try row.text(), found: try row.timestamp(), reason: try row.text())
            }
        }
    }

    public func removeQuarantine(_ blobs: [QuarantinedBlob]) async throws(StorageError) {
        guard !blobs.isEmpty else { return }
        try await write { database in
            for blob in blobs {
                try database.change(
                    "DELETE FROM quarantine WHERE store = ? AND blob = ?", [blob.store.rawValue, blob.blob])
            }
        }
    }
}
