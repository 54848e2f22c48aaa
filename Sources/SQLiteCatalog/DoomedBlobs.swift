// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// Blobs that a durable decision has named for deletion.
extension SQLiteCatalog {
    /// A blob doomed twice goes at the earlier of the two times: each decision alone was enough.
    public func doom(_ blobs: [DoomedBlob]) async throws(StorageError) {
        guard !blobs.isEmpty else { return }
        try await write { database in
            for blob in blobs { try DoomedBlob.insert(blob, in: database) }
        }
    }

    public func doomedBlobs(at now: Timestamp, limit: Int) async throws(StorageError) -> [DoomedBlob] {
        try await read { database in
            try database.all(Pages.doomedBlobs, [now.sql, pageLimit(limit)], from: "doomed") { row in
                DoomedBlob(id: try row.text(), store: try row.word(), notBefore: try row.timestamp())
            }
        }
    }

    public func isDoomed(_ blob: String, in store: DoomedBlob.Store) async throws(StorageError) -> Bool {
        try await read { database in
            try database.number("SELECT 1 FROM doomed WHERE store = ? AND blob = ?", [store.rawValue, blob], from: "doomed") != nil
        }
    }

    public func forgetDoomed(_ blobs: [DoomedBlob]) async throws(StorageError) {
        guard !blobs.isEmpty else { return }
        try await write { database in
            for blob in blobs {
                try database.change("DELETE FROM doomed WHERE store = ? AND blob = ?", [blob.store.rawValue, blob.id])
            }
        }
    }
}

extension DoomedBlob {
    static func insert(_ blob: DoomedBlob, in database: Database) throws {
        try database.change(
            """
            INSERT INTO doomed (store, blob, not_before) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET not_before = min(not_before, excluded.not_before)
            """, [blob.store.rawValue, blob.id, blob.notBefore.sql])
    }
}
