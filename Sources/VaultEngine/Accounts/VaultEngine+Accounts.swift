// SPDX-License-Identifier: Apache-2.0

import Cryptography
import SealedArchive
import Storage
public import VaultModel

extension VaultEngine {
    private static let secretTable = "access_keys"

    /// The credential behind an access key id; nil when there is none. One catalog read.
    public func credential(for accessKeyID: String) async throws(VaultError) -> Credential? {
        guard accessKeyID.utf8.count == Limits.accessKeyCharacters else { return nil }
        return try await vaultErrors("looking up an access key") {
            guard let (key, account, _) = try await catalog.accessKey(accessKeyID) else { return nil }
            return Credential(
                accessKeyID: key.id, account: account.id, isActive: key.state == .active && account.state == .active,
                secret: SecretBytes(bytes: try openSecret(of: key)))
        }
    }

    /// Creates an account (nil: a random free number) with its first access key. Durable on return.
    public func createAccount(_ id: AccountID?) async throws(VaultError) -> NewAccessKey {
        try await vaultErrors("creating an account") {
            for _ in 0..<16 {
                guard let number = id ?? randomAccountID() else { continue }
                let now = clock.now()
                let account = AccountRow(
                    id: number, state: .active, created: now, generation: 1, masterVersion: keyring.currentMaster.version)
                guard try await catalog.account(number) == nil else {
                    if id == nil { continue }
                    throw VaultError(.invalidParameter, "Account \(number) exists already. Choose another number or none.")
                }
                let (row, secret) = try makeAccessKey(account: number, now: now)
                var stored = account
                let record = try await writeAccountRecord(account, keys: [(row, secret)], from: 1)
                stored.generation = record.generation
                do {
                    try await catalog.putAccount(stored, members: AccountMembers(accessKeys: [row]), expectedGeneration: nil)
                } catch let error as StorageError {
                    // Somebody made the account first: our record is not that account's.
                    if error.code == .alreadyExists { try await doom([record.blob], of: .cold) }
                    throw error
                }
                return NewAccessKey(account: number, accessKeyID: row.id, secretAccessKey: secret)
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

    /// A disabled account's keys are refused at once; its data stays.
    public func setAccount(_ id: AccountID, active: Bool) async throws(VaultError) {
        try await changeAccount(id) { account, _ in account.state = active ? .active : .disabled }
    }

    public func createAccessKey(_ account: AccountID) async throws(VaultError) -> NewAccessKey {
        let (row, secret) = try makeAccessKey(account: account, now: clock.now())
        try await changeAccount(account) { _, keys in
            guard keys.count < Limits.maxAccessKeysPerAccount else {
                throw VaultError(.limitExceeded, "Account \(account) has \(keys.count) access keys, which is the limit. Delete one first.")
            }
            keys.append((row, secret))
        }
        return NewAccessKey(account: account, accessKeyID: row.id, secretAccessKey: secret)
    }

    public func listAccessKeys(_ account: AccountID) async throws(VaultError) -> [AccessKeyDescription] {
        try await vaultErrors("listing access keys") {
            guard try await catalog.account(account) != nil else { throw Self.noAccount(account) }
            return try await catalog.members(of: account).accessKeys.map {
                AccessKeyDescription(
                    accessKeyID: $0.id, account: $0.account, isActive: $0.state == .active, created: $0.created)
            }
        }
    }

    public func setAccessKey(_ id: String, active: Bool) async throws(VaultError) {
        try await changeAccount(try await owner(of: id)) { _, keys in
            for index in keys.indices where keys[index].row.id == id { keys[index].row.state = active ? .active : .disabled }
        }
    }

    public func deleteAccessKey(_ id: String) async throws(VaultError) {
        try await changeAccount(try await owner(of: id)) { _, keys in keys.removeAll { $0.row.id == id } }
    }

    private func owner(of accessKeyID: String) async throws(VaultError) -> AccountID {
        let found = try await vaultErrors("looking up an access key") { try await catalog.accessKey(accessKeyID) }
        guard let found else { throw VaultError(.notFound, "There is no access key \(accessKeyID.prefix(64)).") }
        return found.account.id
    }

    private static func noAccount(_ id: AccountID) -> VaultError { VaultError(.notFound, "There is no account \(id).") }

    /// Changes an account with its keys: the durable record first, then the catalog. All secrets are sealed again under the newest
    /// master key on the way, which is also how a rotation moves them.
    func changeAccount(
        _ id: AccountID, _ change: (inout AccountRow, inout [(row: AccessKeyRow, secret: String)]) throws -> Void
    ) async throws(VaultError) {
        try await vaultErrors("changing an account") {
            // Records of rounds that others won, as in the change of a vault.
            var lost: [WrittenRecord] = []
            for _ in 0..<8 {
                guard let stored = try await catalog.account(id) else { throw Self.noAccount(id) }
                var account = stored
                var keys = try await catalog.members(of: id).accessKeys.map { row in
                    (row: row, secret: String(decoding: try openSecret(of: row), as: UTF8.self))
                }
                try change(&account, &keys)
                account.masterVersion = keyring.currentMaster.version
                for index in keys.indices {
                    keys[index].row.secret = try sealSecret(keys[index].secret, of: keys[index].row.id)
                }
                let record = try await writeAccountRecord(
                    account, keys: keys, from: max(stored.generation, lost.last?.generation ?? 0) + 1)
                account.generation = record.generation
                do {
                    try await catalog.putAccount(account, members: AccountMembers(accessKeys: keys.map(\.row)), expectedGeneration: stored.generation)
                    try await doom(lost.map(\.blob), of: .cold)
                    try await doomReplaced(accountRecordOf: stored)
                    return
                } catch let error as StorageError where error.code == .conflict {
                    lost.append(record)
                }
            }
            throw VaultError(.unavailable, "The account is being changed by others. Please try again.")
        }
    }

    // MARK: Secrets

    private func makeAccessKey(account: AccountID, now: Timestamp) throws(VaultError) -> (row: AccessKeyRow, secret: String) {
        let id = "CVAK" + AccessKeyText.make(characters: Limits.accessKeyCharacters - 4, out: AccessKeyText.idAlphabet, random: random)
        let secret = AccessKeyText.make(characters: Limits.secretCharacters, out: AccessKeyText.secretAlphabet, random: random)
        let row = AccessKeyRow(id: id, account: account, state: .active, created: now, secret: try sealSecret(secret, of: id))
        return (row, secret)
    }

    private func randomAccountID() -> AccountID? {
        AccountID(AccessKeyText.make(characters: 12, out: AccessKeyText.digits, random: random))
    }

    private func sealSecret(_ secret: String, of id: String) throws(VaultError) -> SealedColumnValue {
        let master = keyring.currentMaster
        do {
            let bytes = try SealedColumn.seal(
                Array(secret.utf8), table: Self.secretTable, rowUID: Array(id.utf8), key: master.key, random: random)
            return SealedColumnValue(keyVersion: master.version, bytes: bytes)
        } catch {
            throw .wrapping(error, "sealing a secret")
        }
    }

    private func openSecret(of key: AccessKeyRow) throws(VaultError) -> [UInt8] {
        do {
            return try SealedColumn.open(
                key.secret.bytes, table: Self.secretTable, rowUID: Array(key.id.utf8),
                key: try keyring.master(key.secret.keyVersion))
        } catch {
            throw .wrapping(error, "reading the secret of access key \(key.id)")
        }
    }
}

/// Random texts in the alphabets that clients insist on.
enum AccessKeyText {
    static let digits = Array("0123456789".utf8)
    static let idAlphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)
    static let secretAlphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)

    /// Each character equally likely: bytes past the greatest multiple of the alphabet's size are drawn again.
    static func make(characters: Int, out alphabet: [UInt8], random: any RandomByteSource) -> String {
        let limit = 256 - 256 % alphabet.count
        var out: [UInt8] = []
        while out.count < characters {
            for byte in random.bytes(64) where out.count < characters && Int(byte) < limit { out.append(alphabet[Int(byte) % alphabet.count]) }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
