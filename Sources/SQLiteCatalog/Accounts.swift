// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// Accounts and who may act for them; the rows of their members are in `AccountMembers.swift`.
extension SQLiteCatalog {
    /// `.notFound` when an expected account does not exist, `.alreadyExists` when two members have the same name.
    public func putAccount(
        _ account: AccountRow, members: AccountMembers, expectedGeneration: UInt64?, audit: AuditEntries
    ) async throws(StorageError) {
        members.assertBelong(to: account.id)
        try await write { database in
            if let expectedGeneration {
                let found = try database.one(
                    "SELECT generation FROM accounts WHERE id = ?", [account.id.digits], from: "accounts"
                ) {
                    try $0.count()
                }
                guard let found else { throw StorageError(.notFound, "no account \(account.id)") }
                guard found == expectedGeneration else {
                    throw StorageError(
                        .conflict, "account \(account.id) is at generation \(found), not \(expectedGeneration)")
                }
                try database.change(
                    """
                    UPDATE accounts SET state = ?, created = ?, generation = ?, master_version = ?,
                        settings_version = ?, settings = ? WHERE id = ?
                    """,
                    [
                        account.state.rawValue, account.created.sql, account.generation.sql(), account.masterVersion,
                        account.settings?.keyVersion, account.settings?.bytes.sql, account.id.digits,
                    ])
                try AccountMembers.remove(of: account.id, in: database)
            } else {
                try AccountRow.insert(account, in: database)
            }
            try members.insert(in: database)
            try audit.append(in: database)
        }
    }

    public func account(_ id: AccountID) async throws(StorageError) -> AccountRow? {
        try await read { database in
            try database.one(
                "SELECT \(AccountRow.columns) FROM accounts WHERE id = ?", [id.digits], from: "accounts",
                AccountRow.init(reading:))
        }
    }

    public func accounts(after: AccountID?, limit: Int) async throws(StorageError) -> [AccountRow] {
        try await read { database in
            try database.all(
                Pages.accounts, [after?.digits ?? "", pageLimit(limit)], from: "accounts", AccountRow.init(reading:))
        }
    }

    public func members(of account: AccountID) async throws(StorageError) -> AccountMembers {
        try await read { database in
            AccountMembers(
                accessKeys: try database.all(
                    Pages.accessKeys, [account.digits], from: "access_keys", AccessKeyRow.init(reading:)),
                users: try database.all(Pages.users, [account.digits], from: "users", UserRow.init(reading:)),
                topics: try database.all(Pages.topics, [account.digits], from: "topics", TopicRow.init(reading:)))
        }
    }

    public func accessKey(
        _ id: String
    ) async throws(StorageError) -> (key: AccessKeyRow, account: AccountRow, user: UserRow?)? {
        try await read { database in
            try database.one(Pages.accessKey, [id], from: "access_keys") { reader in
                let key = try AccessKeyRow(reading: &reader)
                let account = try AccountRow(reading: &reader)
                return (key: key, account: account, user: try key.user.map { _ in try UserRow(reading: &reader) })
            }
        }
    }

    public func principal(
        _ principal: Principal
    ) async throws(StorageError) -> (account: AccountRow, user: UserRow?)? {
        try await read { database in
            let account = try database.one(
                "SELECT \(AccountRow.columns) FROM accounts WHERE id = ?", [principal.account.digits], from: "accounts",
                AccountRow.init(reading:))
            guard let account else { return nil }
            guard let user = principal.user else { return (account: account, user: nil) }
            let row = try database.one(
                "SELECT \(UserRow.columns) FROM users WHERE account = ? AND name = ?",
                [principal.account.digits, user.text], from: "users", UserRow.init(reading:))
            return (account: account, user: row)
        }
    }

    public func topic(_ topic: TopicARN) async throws(StorageError) -> TopicRow? {
        try await read { database in
            try database.one(
                "SELECT \(TopicRow.columns) FROM topics WHERE arn = ?", [topic.text], from: "topics",
                TopicRow.init(reading:))
        }
    }
}

extension AccountRow {
    static let columns = "id, state, created, generation, master_version, settings_version, settings"

    init(reading row: inout ColumnReader) throws {
        self.init(
            id: try row.parsed(AccountID.init), state: try row.word(), created: try row.timestamp(),
            generation: try row.count(), masterVersion: try row.small(), settings: try row.optionalSealed())
    }

    static func insert(_ account: AccountRow, in database: Database) throws {
        try database.change(
            "INSERT INTO accounts (\(AccountRow.columns)) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                account.id.digits, account.state.rawValue, account.created.sql, account.generation.sql(),
                account.masterVersion, account.settings?.keyVersion, account.settings?.bytes.sql,
            ])
    }
}
