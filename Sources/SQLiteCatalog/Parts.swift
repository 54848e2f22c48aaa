// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// The parts of open uploads.
extension SQLiteCatalog {
    public func part(_ upload: UploadUID, index: UInt32) async throws(StorageError) -> PartRow? {
        try await read { database in try PartRow.find(upload, index, in: database) }
    }

    /// The same part row again is `.stored` and changes nothing, so a caller may repeat a call of unknown outcome. A
    /// part that comes to a closed or unknown upload changes nothing either: naming its blob for deletion is then up to
    /// the caller.
    public func commitPart(_ part: PartRow, at now: Timestamp) async throws(StorageError) -> PartCommit {
        try await write { database in
            let upload: (state: UploadRow.State, vault: VaultUID)? = try database.one(
                "SELECT state, vault FROM uploads WHERE uid = ?", [part.upload.sql], from: "uploads"
            ) { (state: try $0.word(), vault: try $0.uid()) }
            guard let upload, upload.state == .open else { return .uploadClosed }
            try KeyReference.require(upload.vault, version: part.sealed.keyVersion, in: database)
            if let held = try PartRow.find(part.upload, part.index, in: database) {
                if held == part { return .stored }
                let loser = held.number < part.number ? held : part
                if held.blob != part.blob {
                    try DoomedBlob.insert(DoomedBlob(id: loser.blob, store: .cold, notBefore: now), in: database)
                }
                if loser == part { return .superseded }
                try KeyReference.remove(upload.vault, version: held.sealed.keyVersion, in: database)
            }
            try PartRow.insert(part, in: database)
            try KeyReference.add(upload.vault, version: part.sealed.keyVersion, in: database)
            try database.change(
                "UPDATE uploads SET revision = revision + 1, last_activity = max(last_activity, ?) WHERE uid = ?",
                [now.sql, part.upload.sql])
            return .stored
        }
    }

    public func parts(_ upload: UploadUID, from index: UInt32, limit: Int) async throws(StorageError) -> [PartRow] {
        try await read { database in
            try database.all(Pages.parts, [upload.sql, index, pageLimit(limit)], from: "parts", PartRow.init(reading:))
        }
    }
}

extension PartRow {
    static let columns = "upload, position, number, length, blob, blob_bytes, sealed_version, sealed"

    init(reading row: inout ColumnReader) throws {
        self.init(
            upload: try row.uid(), index: try row.small(), number: try row.count(), length: try row.count(),
            blob: try row.text(),
            blobBytes: try row.count(), sealed: try row.sealed())
    }

    /// In place of an older write, if there is one.
    static func insert(_ part: PartRow, in database: Database) throws {
        try database.change(
            "INSERT OR REPLACE INTO parts (\(columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                part.upload.sql, part.index, part.number.sql(), part.length.sql(), part.blob, part.blobBytes.sql(),
                part.sealed.keyVersion, part.sealed.bytes.sql,
            ])
    }

    static func find(_ upload: UploadUID, _ index: UInt32, in database: Database) throws -> PartRow? {
        try database.one(
            "SELECT \(columns) FROM parts WHERE upload = ? AND position = ?", [upload.sql, index], from: "parts",
            PartRow.init(reading:))
    }
}
