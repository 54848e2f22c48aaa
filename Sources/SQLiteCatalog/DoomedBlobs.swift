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

/// Announced records are rows of `doomed` without a date.
extension SQLiteCatalog {
    public func announce(_ record: AnnouncedRecord) async throws(StorageError) -> Announcement {
        try await write { database in
            let isOpen =
                switch record.subject {
                case .deletion(let uid): try ArchiveRow.find(uid, in: database)?.state == .stored
                case .abort(let uid): try UploadRow.find(uid, in: database)?.state == .open
                }
            guard isOpen else { return .settled }
            let taken = try database.number(
                "SELECT 1 FROM doomed WHERE store = 'cold' AND blob = ? AND not_before != ?", [record.blob, DoomedBlob.undated.sql],
                from: "doomed")
            guard taken == nil else { return .nameTaken }
            try DoomedBlob.insert(DoomedBlob(id: record.blob, store: .cold, notBefore: DoomedBlob.undated), in: database)
            return .announced
        }
    }

    public func announcedRecords(limit: Int) async throws(StorageError) -> [DoomedBlob] {
        try await read { database in
            try database.all(
                "SELECT blob FROM doomed WHERE not_before = ? AND store = 'cold' ORDER BY blob LIMIT ?",
                [DoomedBlob.undated.sql, pageLimit(limit)], from: "doomed"
            ) { DoomedBlob(id: try $0.text(), store: .cold, notBefore: DoomedBlob.undated) }
        }
    }
}

extension DoomedBlob {
    /// The commit that an announced record stands behind. A record that was given up meanwhile may be gone: then the change must not be.
    static func takeBack(announced record: String?, in database: Database) throws {
        guard let record else { return }
        let rows = try database.change(
            "DELETE FROM doomed WHERE store = 'cold' AND blob = ? AND not_before = ?", [record, undated.sql])
        guard rows == 1 else { throw StorageError(.conflict, "the record \(record) was given up before its change was committed") }
    }

    static func insert(_ blob: DoomedBlob, in database: Database) throws {
        try database.change(
            """
            INSERT INTO doomed (store, blob, not_before) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET not_before = min(not_before, excluded.not_before)
            """, [blob.store.rawValue, blob.id, blob.notBefore.sql])
    }
}
