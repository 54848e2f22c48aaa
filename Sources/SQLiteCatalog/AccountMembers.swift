// SPDX-License-Identifier: Apache-2.0

import GRDB
import Storage
import VaultModel

/// The rows that come and go with their account.
extension AccountMembers {
    /// Traps on a set that no account can have: a defect of the caller.
    func assertBelong(to account: AccountID) {
        let names = Set(users.map(\.name))
        precondition(
            accessKeys.allSatisfy { $0.account == account } && users.allSatisfy { $0.account == account }
                && topics.allSatisfy { $0.account == account },
            "access keys, users and topics are stored with their own account")
        precondition(
            accessKeys.allSatisfy { $0.user.map(names.contains) ?? true },
            "the user of an access key is stored together with it")
    }

    static func remove(of account: AccountID, in database: Database) throws {
        // Keys first: they refer to users.
        for table in ["access_keys", "users", "topics"] {
            try database.change("DELETE FROM \(table) WHERE account = ?", [account.digits])
        }
    }

    func insert(in database: Database) throws {
        for user in users {
            try database.change(
                "INSERT INTO users (\(UserRow.columns)) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    user.account.digits, user.name.text, user.state.rawValue, user.created.sql,
                    user.policies.keyVersion, user.policies.bytes.sql,
                ])
        }
        for key in accessKeys {
            try database.change(
                "INSERT INTO access_keys (\(AccessKeyRow.columns)) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    key.id, key.account.digits, key.user?.text, key.state.rawValue, key.created.sql,
                    key.secret.keyVersion, key.secret.bytes.sql,
                ])
        }
        for topic in topics {
            try database.change(
                "INSERT INTO topics (\(TopicRow.columns), account) VALUES (?, ?, ?, ?, ?)",
                [
                    topic.topic.text, topic.created.sql, topic.target.keyVersion, topic.target.bytes.sql,
                    topic.account.digits,
                ])
        }
    }
}

extension AccessKeyRow {
    static let columns = "id, account, user, state, created, sealed_version, sealed"

    init(reading row: inout ColumnReader) throws {
        self.init(
            id: try row.text(), account: try row.parsed(AccountID.init),
            user: try row.optionallyParsed { UserName($0) }, state: try row.word(), created: try row.timestamp(),
            secret: try row.sealed())
    }
}

extension UserRow {
    static let columns = "account, name, state, created, sealed_version, sealed"

    init(reading row: inout ColumnReader) throws {
        self.init(
            account: try row.parsed(AccountID.init), name: try row.parsed { UserName($0) }, state: try row.word(),
            created: try row.timestamp(), policies: try row.sealed())
    }
}

extension TopicRow {
    static let columns = "arn, created, sealed_version, sealed"

    init(reading row: inout ColumnReader) throws {
        self.init(
            topic: try row.parsed { TopicARN($0) }, created: try row.timestamp(), target: try row.sealed())
    }
}
