// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
import VaultModel

/// The audit log as far as it lies here: appended by the writer alone, which numbers and chains the entries.
extension SQLiteCatalog {
    public func appendAudit(_ entries: AuditEntries) async throws(StorageError) {
        guard !entries.drafts.isEmpty else { return }
        try await write { database in try entries.append(in: database) }
    }

    public func auditHead() async throws(StorageError) -> AuditHead {
        try await read { database in try AuditHead.last(in: database) }
    }

    public func auditBase() async throws(StorageError) -> AuditHead {
        try await read { database in try AuditHead.base(in: database) }
    }

    public func auditEntries(after sequence: UInt64, limit: Int) async throws(StorageError) -> [AuditRow] {
        let start = try sequence.sql()
        return try await read { database in
            try database.all(Pages.auditEntries, [start, pageLimit(limit)], from: "audit", AuditRow.init(reading:))
        }
    }

    public func trimAudit(through sequence: UInt64, keep: Int) async throws(StorageError) -> Int {
        let bound = try sequence.sql()
        return try await write { database in
            let base = try AuditHead.base(in: database).sequence.sql()
            let last = try AuditHead.last(in: database).sequence.sql()
            let end = min(bound, last - Int64(max(0, keep)), base + pageLimit(.max))
            guard end > base else { return 0 }
            guard let head = try AuditHead.at(end, in: database) else {
                throw StorageError(.integrity, "the audit log lacks entry \(end); restore the catalog or rebuild it")
            }
            try head.makeBase(in: database)
            return try database.change("DELETE FROM audit WHERE sequence <= ?", [end])
        }
    }

    public func continueAudit(from head: AuditHead) async throws(StorageError) {
        try await write { database in
            let last = try AuditHead.last(in: database)
            guard last.sequence < head.sequence else {
                throw StorageError(
                    .conflict, "the audit log here ends at \(last.sequence), which is not before \(head.sequence)")
            }
            try database.change("DELETE FROM audit")
            try head.makeBase(in: database)
        }
    }
}

extension AuditEntries {
    /// In the transaction of the act itself.
    func append(in database: Database) throws {
        guard let chain, !drafts.isEmpty else { return }
        var head = try AuditHead.last(in: database)
        for draft in drafts {
            let next = chain.head(after: head, appending: draft)
            precondition(next.sequence == head.sequence + 1, "a chain counts by one")
            head = next
            try database.change(
                "INSERT INTO audit (\(AuditRow.columns)) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    head.sequence.sql(), draft.uid.sql, draft.time.sql, draft.sealed.keyVersion, draft.sealed.bytes.sql,
                    head.link.sql, head.tag.sql,
                ])
        }
    }
}

extension AuditHead {
    /// Of the newest entry, or where the log continues when none is here.
    static func last(in database: Database) throws -> AuditHead {
        try database.one(
            "SELECT sequence, link, tag FROM audit ORDER BY sequence DESC LIMIT 1", from: "audit",
            AuditHead.init(reading:)) ?? base(in: database)
    }

    static func base(in database: Database) throws -> AuditHead {
        try database.one(
            "SELECT sequence, link, tag FROM audit_base WHERE id = 1", from: "audit_base", AuditHead.init(reading:))
            ?? .origin
    }

    static func at(_ sequence: Int64, in database: Database) throws -> AuditHead? {
        try database.one(
            "SELECT sequence, link, tag FROM audit WHERE sequence = ?", [sequence], from: "audit",
            AuditHead.init(reading:))
    }

    func makeBase(in database: Database) throws {
        try database.change(
            "UPDATE audit_base SET sequence = ?, link = ?, tag = ? WHERE id = 1", [sequence.sql(), link.sql, tag.sql])
    }

    init(reading row: inout ColumnReader) throws {
        self.init(sequence: try row.count(), link: try row.bytes(), tag: try row.bytes())
    }
}

extension AuditRow {
    static let columns = "sequence, uid, time, sealed_version, sealed, link, tag"

    init(reading row: inout ColumnReader) throws {
        let sequence = try row.count()
        self.init(
            uid: try row.uid(), time: try row.timestamp(), sealed: try row.sealed(),
            head: AuditHead(sequence: sequence, link: try row.bytes(), tag: try row.bytes()))
    }
}
