// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Storage
public import VaultModel

/// Accounts and their access keys.
extension VaultEngine {
    /// Creates an account (nil: a random free number) with its first access key, a key of its root. Durable on return.
    public func createAccount(_ id: AccountID?) async throws(VaultError) -> NewAccessKey {
        try await vaultErrors("creating an account") {
            for _ in 0..<16 {
                guard let number = id ?? randomAccountID() else { continue }
                guard try await catalog.account(number) == nil else {
                    if id == nil { continue }
                    throw VaultError(
                        .invalidParameter, "Account \(number) exists already. Choose another number or none.")
                }
                let now = clock.now()
                var account = AccountState(id: number, state: .active, created: now)
                let key = makeAccessKey(of: nil, now: now)
                account.accessKeys = [key]
                let record = try await writeAccountRecord(account, from: 1)
                let (row, members) = try seal(account, generation: record.generation)
                do {
                    try await catalog.putAccount(
                        row, members: members, expectedGeneration: nil,
                        audit: try audit(.account(number, "CreateAccount", ["accessKeyId": .string(key.id)])))
                } catch let error as StorageError {
                    // Somebody made the account first: our record is not that account's.
                    if error.code == .alreadyExists { try await doom([record.blob], of: .cold) }
                    throw error
                }
                return NewAccessKey(account: number, accessKeyID: key.id, secretAccessKey: key.secret)
            }
            throw VaultError(.internalFailure, "No free account number was found.")
        }
    }

    public func listAccounts(after: AccountID?, limit: Int) async throws(VaultError) -> [AccountDescription] {
        try await vaultErrors("listing accounts") {
            try await catalog.accounts(after: after, limit: limit).map {
                AccountDescription(account: $0.id, isActive: $0.state == .active, created: $0.created)
            }
        }
    }

    /// A disabled account's keys, users and sessions are refused at once; its data stays.
    public func setAccount(_ id: AccountID, active: Bool) async throws(VaultError) {
        try await changeAccount(id, as: .account(id, "SetAccount", ["active": .bool(active)])) {
            $0.state = active ? .active : .disabled
        }
    }

    // MARK: Access keys

    /// A further key of a user (nil: of the account's root). Durable on return.
    public func createAccessKey(_ account: AccountID, user: UserName?) async throws(VaultError) -> NewAccessKey {
        let key = makeAccessKey(of: user, now: clock.now())
        let act = AuditAct.account(
            account, "CreateAccessKey", ["accessKeyId": .string(key.id), "user": .optional(user?.text)])
        try await changeAccount(account, as: act) { state in
            if let user { _ = try state.index(of: user) }
            state.accessKeys.append(key)
        }
        return NewAccessKey(account: account, accessKeyID: key.id, secretAccessKey: key.secret)
    }

    public func listAccessKeys(_ account: AccountID) async throws(VaultError) -> [AccessKeyDescription] {
        try await vaultErrors("listing access keys") {
            guard try await catalog.account(account) != nil else { throw Self.noAccount(account) }
            return try await catalog.members(of: account).accessKeys.map {
                AccessKeyDescription(
                    accessKeyID: $0.id, account: $0.account, user: $0.user, isActive: $0.state == .active,
                    created: $0.created)
            }
        }
    }

    public func setAccessKey(_ id: String, active: Bool) async throws(VaultError) {
        let owner = try await owner(of: id)
        let act = AuditAct.account(owner, "SetAccessKey", ["accessKeyId": .string(id), "active": .bool(active)])
        try await changeAccount(owner, as: act) { account in
            for index in account.accessKeys.indices where account.accessKeys[index].id == id {
                account.accessKeys[index].state = active ? .active : .disabled
            }
        }
    }

    public func deleteAccessKey(_ id: String) async throws(VaultError) {
        let owner = try await owner(of: id)
        let act = AuditAct.account(owner, "DeleteAccessKey", ["accessKeyId": .string(id)])
        try await changeAccount(owner, as: act) { account in account.accessKeys.removeAll { $0.id == id } }
    }

    private func owner(of accessKeyID: String) async throws(VaultError) -> AccountID {
        let found = try await vaultErrors("looking up an access key") { try await catalog.accessKey(accessKeyID) }
        guard let found else { throw VaultError(.notFound, "There is no access key \(accessKeyID.prefix(64)).") }
        return found.account.id
    }

    private func makeAccessKey(of user: UserName?, now: Timestamp) -> AccountState.AccessKey {
        AccountState.AccessKey(
            id: AccessKeyText.makeID(prefix: AccessKeyText.permanentPrefix, random: random), user: user, state: .active,
            created: now,
            secret: AccessKeyText.makeSecret(random: random))
    }

    private func randomAccountID() -> AccountID? {
        AccountID(AccessKeyText.make(characters: 12, out: AccessKeyText.digits, random: random))
    }
}
