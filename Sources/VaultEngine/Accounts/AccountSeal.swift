// SPDX-License-Identifier: Apache-2.0

import Cryptography
import SealedArchive
import Storage
import VaultModel

extension AccountState {
    /// The table in the context of an access key's sealed secret.
    static let secretTable = "access_keys"
}

extension Keyring {
    /// The rows of an account, everything sealed under the newest master key.
    func seal(
        _ account: AccountState, generation: UInt64, random: any RandomByteSource
    ) throws(VaultError) -> (AccountRow, AccountMembers) {
        var row = AccountRow(
            id: account.id, state: account.state, created: account.created, generation: generation,
            masterVersion: currentMaster.version)
        if account.settings != .none {
            row.settings = try sealUnderMaster(
                AccountColumn(settings: account.settings), uid: AccountColumn.rowUID(account.id), random: random)
        }
        var members = AccountMembers()
        for key in account.accessKeys {
            members.accessKeys.append(
                AccessKeyRow(
                    id: key.id, account: account.id, user: key.user, state: key.state, created: key.created,
                    secret: try sealSecret(key.secret, of: key.id, random)))
        }
        for user in account.users {
            let policies = try sealUnderMaster(
                UserColumn(policies: user.policies), uid: UserColumn.rowUID(account.id, user.name), random: random)
            members.users.append(
                UserRow(
                    account: account.id, name: user.name, state: user.state, created: user.created, policies: policies))
        }
        for topic in account.topics {
            let target = try sealUnderMaster(
                TopicDocument(json: topic.document), uid: TopicDocument.rowUID(topic.topic), random: random)
            members.topics.append(TopicRow(topic: topic.topic, created: topic.created, target: target))
        }
        return (row, members)
    }

    private func sealSecret(
        _ secret: String, of id: String, _ random: any RandomByteSource
    ) throws(VaultError) -> SealedColumnValue {
        let master = currentMaster
        do {
            let bytes = try SealedColumn.seal(
                Array(secret.utf8), table: AccountState.secretTable, rowUID: Array(id.utf8), key: master.key, random: random)
            return SealedColumnValue(keyVersion: master.version, bytes: bytes)
        } catch {
            throw .wrapping(error, "sealing a secret")
        }
    }
}
