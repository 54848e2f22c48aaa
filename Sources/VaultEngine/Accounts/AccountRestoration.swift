// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Logging
import SealedArchive
import Storage
import VaultModel

extension AccountState {
    /// What a state record says (Docs/Formats/Record-v1.md, section 2); nil when its body is not that of an account's record.
    init?(_ record: StateRecord) {
        let body = record.body
        guard record.type == .account, let id = body["accountId"]?.stringValue.flatMap({ AccountID($0) }),
            let state = body["state"]?.stringValue.flatMap(AccountRow.State.init(rawValue:)),
            let created = body["created"]?.integerValue,
            let column = AccountColumn(json: .object(body))
        else { return nil }
        self.init(id: id, state: state, created: Timestamp(milliseconds: created))
        settings = column.settings
        guard let keys = Self.list(body["accessKeys"], Self.accessKey),
            let users = Self.list(body["users"], Self.user), let topics = Self.list(body["topics"], Self.topic)
        else { return nil }
        (accessKeys, self.users, self.topics) = (keys, users, topics)
    }

    /// Absent counts as empty: older records lack the later members.
    private static func list<Item>(_ json: JSONValue?, _ item: (JSONValue) -> Item?) -> [Item]? {
        guard let json, !json.isNull else { return [] }
        guard let values = json.arrayValue else { return nil }
        let items = values.compactMap(item)
        return items.count == values.count ? items : nil
    }

    private static func accessKey(_ json: JSONValue) -> AccessKey? {
        guard let id = json["id"]?.stringValue, let secret = json["secret"]?.stringValue,
            let state = json["state"]?.stringValue.flatMap(AccessKeyRow.State.init(rawValue:)),
            let created = json["created"]?.integerValue
        else { return nil }
        var user: UserName?
        if let name = json["user"], !name.isNull {
            guard let known = name.stringValue.flatMap({ UserName($0) }) else { return nil }
            user = known
        }
        return AccessKey(id: id, user: user, state: state, created: Timestamp(milliseconds: created), secret: secret)
    }

    private static func user(_ json: JSONValue) -> User? {
        guard let name = json["name"]?.stringValue.flatMap({ UserName($0) }),
            let state = json["state"]?.stringValue.flatMap(UserRow.State.init(rawValue:)),
            let created = json["created"]?.integerValue, let column = UserColumn(json: json)
        else { return nil }
        return User(
            name: name, state: state, created: Timestamp(milliseconds: created), policies: column.policies)
    }

    private static func topic(_ json: JSONValue) -> Topic? {
        guard var members = json.objectValue, let topic = members["arn"]?.stringValue.flatMap({ TopicARN($0) }),
            let created = members["created"]?.integerValue
        else { return nil }
        members["arn"] = nil
        members["created"] = nil
        return Topic(topic: topic, created: Timestamp(milliseconds: created), document: .object(members))
    }
}

extension VaultEngine {
    /// As with vaults, the newest record of each account that verifies counts: what was disabled, deleted or narrowed since the catalog's
    /// copy was made stays so. Costs one listing per account. One that fails is an error in the log and stays as the catalog has it.
    func adoptNewerAccounts() async throws {
        var after: AccountID?
        while true {
            let page = try await catalog.accounts(after: after, limit: 200)
            for account in page {
                do {
                    try await freeingRoom { try await adoptNewerRecord(of: account) }
                } catch {
                    guard !Task.isCancelled else { throw error }
                    logger.error(
                        "an account could not be compared with its records; it is as the catalog has it",
                        metadata: ["account": "\(account.id)", "error": "\(error)"])
                }
            }
            guard page.count == 200, let last = page.last else { return }
            after = last.id
        }
    }

    private func adoptNewerRecord(of stored: AccountRow) async throws {
        let digits = stored.id.digits
        let names = try await recordNames(above: stored.generation) {
            BlobName.account(account: digits, generation: $0)
        }
        guard let recorded = try await newestRecord(among: names, of: stored.id) else { return }
        let record = try await writeAccountRecord(recorded.state, from: recorded.record.generation + 1)
        let (row, members) = try seal(recorded.state, generation: record.generation)
        try await catalog.putAccount(
            row, members: members, expectedGeneration: stored.generation,
            audit: try audit(
                AuditAct(.account, "account:TakeUpRecord", by: .service, account: stored.id, on: "account \(stored.id)")))
        try await doom([recorded.record.blob], of: .cold, after: configuration.deletionGrace)
        try await doomReplaced(accountRecordOf: stored)
        warn(ofAdopted: recorded)
    }

    /// The newest of these records that verifies.
    func newestRecord(among names: [WrittenRecord], of id: AccountID) async throws -> RecordedAccount? {
        for name in names.reversed() {
            let recorded = try await readRecord(
                name, .account, uid: BlobPreamble.uid(ofAccount: id.digits), account: id, vault: .none,
                AccountState.init)
            if let recorded, recorded.id == id { return RecordedAccount(record: name, state: recorded) }
        }
        return nil
    }

    func warn(ofAdopted recorded: RecordedAccount) {
        logger.warning(
            "an account's record is newer than the catalog and was adopted",
            metadata: ["account": "\(recorded.state.id)", "generation": "\(recorded.record.generation)"])
    }
}

/// What the newest durable record of an account says.
struct RecordedAccount {
    let record: VaultEngine.WrittenRecord
    let state: AccountState
}
