// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Logging
import SealedArchive
import Storage
import VaultModel

/// How an account changes: opened, changed, written as a durable record, sealed into the catalog; all under the
/// newest master key.
extension VaultEngine {
    static func noAccount(_ id: AccountID) -> VaultError {
        VaultError(.notFound, "There is no account \(id). List the accounts and check the number.")
    }

    /// Changes an account with its access keys, users, topics and settings, while nobody else in this process does:
    /// the durable record first, then the catalog. Nothing is written when nothing changes. `change` may be applied
    /// again to a newer state. Everything is sealed again on the way, which is also how a rotation of the master key
    /// moves it: an account that is sealed under an older one is written in any case.
    /// A record that is newer than the catalog (a crash came between the two, or an older catalog was put back) counts first: the change is
    /// made on top of what it says, never instead of it.
    func changeAccount(
        _ id: AccountID, as act: AuditAct? = nil, _ change: (inout AccountState) throws -> Void
    ) async throws(VaultError) {
        try await vaultErrors("changing an account") {
            try await accountGate.exclusive(id) {
                // Records that no row stands behind: of rounds that another process won, or that failed.
                var lost: [WrittenRecord] = []
                do {
                    try await commitChange(of: id, losing: &lost, as: act ?? .account(id), change)
                } catch {
                    await supersede(lost, of: id, after: error)
                    throw error
                }
            }
        }
    }

    private func commitChange(
        of id: AccountID, losing lost: inout [WrittenRecord], as act: AuditAct,
        _ change: (inout AccountState) throws -> Void
    ) async throws {
        var floor: UInt64 = 0
        var adopted: RecordedAccount?
        for _ in 0..<8 {
            guard let stored = try await catalog.account(id) else { throw Self.noAccount(id) }
            if let recorded = adopted, recorded.record.generation <= stored.generation { adopted = nil }
            // A member changed between the two reads belongs to a newer generation: then the catalog refuses the result.
            var account = try open(stored, try await catalog.members(of: id))
            let before = JSONValue.object(account.recordBody).canonicalBytes()
            if let adopted { account = adopted.state }
            try change(&account)
            account.normalise(at: clock.now())
            try account.checkLimits()
            // Bytes, not texts: two texts that look the same are two policies.
            let changes = JSONValue.object(account.recordBody).canonicalBytes() != before
            let passed = max(floor, lost.last?.generation ?? 0)
            let isCurrent = stored.masterVersion == keyring.currentMaster.version && passed <= stored.generation
            guard changes || !isCurrent else { return try await doom(lost.map(\.blob), of: .cold) }
            let wanted = max(stored.generation, passed) + 1
            guard let record = try await writeAccountRecord(account, exactly: wanted) else {
                let names = try await recordNames(above: wanted - 1) {
                    BlobName.account(account: id.digits, generation: $0)
                }
                adopted = try await newestRecord(among: names, of: id) ?? adopted
                floor = names.last?.generation ?? wanted
                continue
            }
            do {
                let (row, members) = try seal(account, generation: record.generation)
                try await catalog.putAccount(
                    row, members: members, expectedGeneration: stored.generation, audit: try audit(act))
            } catch let error as StorageError where error.code == .conflict {
                lost.append(record)
                continue
            } catch {
                lost.append(record)
                throw error
            }
            // Below the committed generation: their names are never used again.
            try await doom(lost.map(\.blob), of: .cold)
            if let adopted {
                try await doom([adopted.record.blob], of: .cold, after: configuration.deletionGrace)
                warn(ofAdopted: adopted)
            }
            return try await doomReplaced(accountRecordOf: stored)
        }
        throw VaultError(.unavailable, "The account is being changed by others. Please try again.")
    }

    /// After a change that failed. A rebuild believes the record of the highest generation: the account as it stands is
    /// written once more above those that were lost, and only then may they go.
    private func supersede(_ lost: [WrittenRecord], of id: AccountID, after failure: any Error) async {
        guard let highest = lost.map(\.generation).max() else { return }
        // The change may count after all: then its record must stay.
        if let failure = failure as? StorageError, [.outcomeUnknown, .unusable].contains(failure.code) { return }
        do {
            guard let stored = try await catalog.account(id) else { return }
            if stored.generation <= highest {
                let account = try open(stored, try await catalog.members(of: id))
                let record = try await writeAccountRecord(account, from: highest + 1)
                let (row, members) = try seal(account, generation: record.generation)
                try await catalog.putAccount(
                    row, members: members, expectedGeneration: stored.generation,
                    audit: try audit(AuditAct(.account, "account:Supersede", by: .service, account: id, on: "account \(id)")))
                try await doomReplaced(accountRecordOf: stored)
            }
            try await doom(lost.map(\.blob), of: .cold)
        } catch {
            logger.error(
                "records of a refused change of an account stay behind; the next change of the account outdates them",
                metadata: ["account": "\(id)", "records": "\(lost.map(\.blob.name))", "error": "\(error)"])
        }
    }

    /// An account as it stands, or the refusal.
    func accountState(_ id: AccountID) async throws -> AccountState {
        guard let row = try await catalog.account(id) else { throw Self.noAccount(id) }
        return try open(row, try await catalog.members(of: id))
    }

    /// What the account has set; the row has been read already.
    func settings(of account: AccountRow) throws(VaultError) -> AccountSettings {
        guard let column = account.settings else { return .none }
        return try keyring.openUnderMaster(column, as: AccountColumn.self, uid: AccountColumn.rowUID(account.id))
            .settings
    }

    func policies(of user: UserRow) throws(VaultError) -> [String: String] {
        try keyring.openUnderMaster(user.policies, as: UserColumn.self, uid: UserColumn.rowUID(user.account, user.name))
            .policies
    }

    private func open(_ row: AccountRow, _ members: AccountMembers) throws(VaultError) -> AccountState {
        var account = AccountState(id: row.id, state: row.state, created: row.created)
        account.settings = try settings(of: row)
        for key in members.accessKeys {
            account.accessKeys.append(
                AccountState.AccessKey(
                    id: key.id, user: key.user, state: key.state, created: key.created,
                    secret: String(decoding: try openSecret(of: key), as: UTF8.self)))
        }
        for user in members.users {
            account.users.append(
                AccountState.User(
                    name: user.name, state: user.state, created: user.created, policies: try policies(of: user)))
        }
        for topic in members.topics {
            let document = try keyring.openUnderMaster(
                topic.target, as: TopicDocument.self, uid: TopicDocument.rowUID(topic.topic))
            account.topics.append(
                AccountState.Topic(topic: topic.topic, created: topic.created, document: document.json))
        }
        return account
    }

    /// The rows of a new or changed account.
    func seal(_ account: AccountState, generation: UInt64) throws(VaultError) -> (AccountRow, AccountMembers) {
        try keyring.seal(account, generation: generation, random: random)
    }

    func openSecret(of key: AccessKeyRow) throws(VaultError) -> [UInt8] {
        do {
            return try SealedColumn.open(
                key.secret.bytes, table: AccountState.secretTable, rowUID: Array(key.id.utf8),
                key: try keyring.master(key.secret.keyVersion))
        } catch {
            throw .wrapping(error, "reading the secret of access key \(key.id)")
        }
    }
}
