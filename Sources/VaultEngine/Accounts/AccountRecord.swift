// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import Storage
import VaultModel

extension AccountState {
    /// The body of its state record (Docs/Formats/Record-v1.md, section 2).
    var recordBody: [String: JSONValue] {
        var body: [String: JSONValue] = [
            "accountId": .string(id.digits), "state": .string(state.rawValue),
            "created": .integer(created.milliseconds),
            "accessKeys": .array(accessKeys.map(Self.json)), "users": .array(users.map(Self.json)),
            "topics": .array(topics.map(Self.json)),
        ]
        body.merge(AccountColumn(settings: settings).members) { _, new in new }
        return body
    }

    private static func json(_ key: AccessKey) -> JSONValue {
        [
            "id": .string(key.id), "secret": .string(key.secret), "state": .string(key.state.rawValue),
            "created": .integer(key.created.milliseconds), "user": .optional(key.user?.text),
        ]
    }

    private static func json(_ user: User) -> JSONValue {
        [
            "name": .string(user.name.text), "state": .string(user.state.rawValue),
            "created": .integer(user.created.milliseconds),
            "policies": .object(user.policies.mapValues { .string($0) }),
        ]
    }

    private static func json(_ topic: Topic) -> JSONValue {
        var members = topic.document.objectValue ?? [:]
        members["arn"] = .string(topic.topic.text)
        members["created"] = .integer(topic.created.milliseconds)
        return .object(members)
    }
}

extension VaultEngine {
    func writeAccountRecord(_ account: AccountState, from generation: UInt64) async throws -> WrittenRecord {
        let master = keyring.currentMaster
        return try await write(
            .account, body: account.recordBody, uid: BlobPreamble.uid(ofAccount: account.id.digits),
            account: account.id, vault: .none,
            key: master.key, keyVersion: master.version, from: generation
        ) { BlobName.account(account: account.id.digits, generation: $0) }
    }

    /// Nil when a record of that generation exists.
    func writeAccountRecord(_ account: AccountState, exactly generation: UInt64) async throws -> WrittenRecord? {
        let master = keyring.currentMaster
        return try await write(
            .account, body: account.recordBody, uid: BlobPreamble.uid(ofAccount: account.id.digits),
            account: account.id, vault: .none,
            key: master.key, keyVersion: master.version, exactly: generation
        ) { BlobName.account(account: account.id.digits, generation: $0) }
    }

    func doomReplaced(accountRecordOf row: AccountRow) async throws {
        let name = BlobName.account(account: row.id.digits, generation: row.generation).text
        try await doom([try blobID(name)], of: .cold, after: configuration.deletionGrace)
    }
}
