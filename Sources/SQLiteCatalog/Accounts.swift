// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage
public import VaultModel

/// Accounts and their access keys.
extension SQLiteCatalog {
    /// `.notFound` when an expected account does not exist.
    public func putAccount(
        _ account: AccountRow, accessKeys: [AccessKeyRow], expectedGeneration: UInt64?
    ) async throws(StorageError) {
        precondition(
            accessKeys.allSatisfy { $0.account == account.id }, "access keys are stored with their own account")
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
                    "UPDATE accounts SET state = ?, created = ?, generation = ?, master_version = ? WHERE id = ?",
                    [
                        account.state.rawValue, account.created.sql, account.generation.sql(), account.masterVersion,
                        account.id.digits,
                    ])
                try database.change("DELETE FROM access_keys WHERE account = ?", [account.id.digits])
            } else {
                try database.change(
                    "INSERT INTO accounts (id, state, created, generation, master_version) VALUES (?, ?, ?, ?, ?)",
                    [
                        account.id.digits, account.state.rawValue, account.created.sql, account.generation.sql(),
                        account.masterVersion,
                    ])
            }
            for key in accessKeys {
                try database.change(
                    "INSERT INTO access_keys (\(AccessKeyRow.columns)) VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        key.id, key.account.digits, key.state.rawValue, key.created.sql, key.secret.keyVersion,
                        key.secret.bytes.sql,
                    ])
            }
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

    public func accessKeys(of account: AccountID) async throws(StorageError) -> [AccessKeyRow] {
        try await read { database in
            try database.all(Pages.accessKeys, [account.digits], from: "access_keys", AccessKeyRow.init(reading:))
        }
    }

    public func accessKey(_ id: String) async throws(StorageError) -> (key: AccessKeyRow, account: AccountRow)? {
        try await read { database in
            try database.one(
                """
                SELECT k.id, k.account, k.state, k.created, k.sealed_version, k.sealed,
                    a.id, a.state, a.created, a.generation, a.master_version
                FROM access_keys k JOIN accounts a ON a.id = k.account WHERE k.id = ?
                """, [id], from: "access_keys"
            ) { reader in
                (key: try AccessKeyRow(reading: &reader), account: try AccountRow(reading: &reader))
            }
        }
    }
}

extension AccountRow {
    static let columns = "id, state, created, generation, master_version"

    init(reading row: inout ColumnReader) throws {
        self.init(
            id: try row.parsed(AccountID.init), state: try row.word(), created: try row.timestamp(),
            generation: try row.count(),
            masterVersion: try row.small())
    }
}

extension AccessKeyRow {
    static let columns = "id, account, state, created, sealed_version, sealed"

    init(reading row: inout ColumnReader) throws {
        self.init(
            id: try row.text(), account: try row.parsed(AccountID.init), state: try row.word(),
            created: try row.timestamp(),
            secret: try row.sealed())
    }
}
