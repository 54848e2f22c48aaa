// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// Messages on their way to topics.
///
///     finishJob ▶ waiting ─ removeMessage ▶ no row
///                  │   ▲                      ▲
///     updateMessage▼   │updateMessage         │
///                 dead ┴────── removeMessage ─┘
///
/// Of the waiting messages of a job to a topic only the head (invariant 7 of ``Schema``) may go out. A dead one no
/// longer holds up those behind it.
extension SQLiteCatalog {
    public func dueMessages(
        at now: Timestamp, perTopic: Int, limit: Int
    ) async throws(StorageError) -> [OutboxRow] {
        try await read { database in
            let topics = try database.all(Pages.topicsWithMessages, from: "outbox") { try $0.optionalText() }
                .compactMap(\.self)
            var due: [(notBefore: Timestamp, uid: MessageUID)] = []
            for topic in topics {
                due += try database.all(
                    Pages.dueMessagesOfTopic, [topic, now.sql, pageLimit(perTopic)], from: "outbox"
                ) { (notBefore: try $0.timestamp(), uid: try $0.uid()) }
            }
            due.sort { ($0.notBefore, $0.uid) < ($1.notBefore, $1.uid) }
            return try due.prefix(Int(pageLimit(limit))).compactMap { try OutboxRow.find($0.uid, in: database) }
        }
    }

    /// Messages that wait behind another of their job and topic do not count: that one is due first.
    public func nextMessage(after now: Timestamp) async throws(StorageError) -> Timestamp? {
        try await read { database in
            try database.number(Pages.nextMessage, [now.sql], from: "outbox").map { Timestamp(milliseconds: $0) }
        }
    }

    public func removeMessage(_ id: MessageUID, audit: AuditEntries) async throws(StorageError) {
        try await write { database in
            guard let held = try OutboxRow.find(id, in: database) else { return }
            try database.change("DELETE FROM outbox WHERE uid = ?", [id.sql])
            try OutboxRow.chooseHead(job: held.job, topic: held.topic, in: database)
            try audit.append(in: database)
        }
    }

    public func updateMessage(_ message: OutboxRow, audit: AuditEntries) async throws(StorageError) {
        try await write { database in
            guard let held = try OutboxRow.find(message.id, in: database) else { return }
            try database.change(
                """
                UPDATE outbox SET state = ?, attempts = ?, not_before = ?, last_failure = ?, head = 0 WHERE uid = ?
                """,
                [
                    message.state.rawValue, message.attempts, message.notBefore.sql, message.lastFailure,
                    message.id.sql,
                ])
            try OutboxRow.chooseHead(job: held.job, topic: held.topic, in: database)
            try audit.append(in: database)
        }
    }

    public func message(_ id: MessageUID) async throws(StorageError) -> OutboxRow? {
        try await read { database in try OutboxRow.find(id, in: database) }
    }

    public func messages(
        account: AccountID, state: OutboxRow.State, after: MessageUID?, limit: Int
    ) async throws(StorageError) -> [OutboxRow] {
        try await read { database in
            try database.all(
                Pages.messages, [account.digits, state.rawValue, (after?.bytes ?? []).sql, pageLimit(limit)],
                from: "outbox", OutboxRow.init(reading:))
        }
    }
}

extension OutboxRow {
    static let columns = """
        uid, topic, account, job, sequence, created, state, attempts, not_before, last_failure, sealed_version, sealed
        """

    init(reading row: inout ColumnReader) throws {
        self.init(
            id: try row.uid(), topic: try row.parsed { TopicARN($0) }, account: try row.parsed(AccountID.init),
            job: try row.uid(), sequence: try row.small(), created: try row.timestamp(), state: try row.word(),
            attempts: try row.small(), notBefore: try row.timestamp(), lastFailure: try row.optionalText(),
            sealed: try row.sealed())
    }

    static func find(_ id: MessageUID, in database: Database) throws -> OutboxRow? {
        try database.one(
            "SELECT \(columns) FROM outbox WHERE uid = ?", [id.sql], from: "outbox", OutboxRow.init(reading:))
    }

    static func insert(_ messages: [OutboxRow], in database: Database) throws {
        for message in messages {
            try database.change(
                "INSERT INTO outbox (\(columns), head) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                [
                    message.id.sql, message.topic.text, message.account.digits, message.job.sql, message.sequence,
                    message.created.sql, message.state.rawValue, message.attempts, message.notBefore.sql,
                    message.lastFailure, message.sealed.keyVersion, message.sealed.bytes.sql,
                ])
            try chooseHead(job: message.job, topic: message.topic, in: database)
        }
    }

    /// Restores invariant 7 of ``Schema`` after any change to the messages of a job to a topic.
    static func chooseHead(job: JobUID, topic: TopicARN, in database: Database) throws {
        try database.change(Pages.unsetHead, [job.sql, topic.text])
        try database.change(Pages.setHead, [job.sql, topic.text])
    }
}
