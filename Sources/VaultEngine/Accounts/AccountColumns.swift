// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import Storage
import VaultModel

/// A user's identity policies.
struct UserColumn: ColumnDocument, Equatable {
    static let table = "users"
    /// By name, verbatim.
    var policies: [String: String]

    var json: JSONValue { ["policies": .object(policies.mapValues { .string($0) })] }

    init(policies: [String: String]) { self.policies = policies }

    init?(json: JSONValue) {
        guard let members = json["policies"]?.objectValue else { return nil }
        let texts = members.compactMapValues(\.stringValue)
        guard texts.count == members.count else { return nil }
        policies = texts
    }

    /// A user's name is unique in its account only.
    static func rowUID(_ account: AccountID, _ name: UserName) -> [UInt8] { Array("\(account)/\(name)".utf8) }
}

/// A topic's target and secret; Notifications knows what is in it.
struct TopicDocument: ColumnDocument, Equatable {
    static let table = "topics"
    var json: JSONValue

    init(json: JSONValue) { self.json = json }

    static func rowUID(_ topic: TopicARN) -> [UInt8] { Array(topic.text.utf8) }
}

/// What an account has set for all its vaults: the same members as in its record.
struct AccountColumn: ColumnDocument, Equatable {
    static let table = "accounts"
    var settings: AccountSettings

    static func rowUID(_ account: AccountID) -> [UInt8] { Array(account.digits.utf8) }

    init(settings: AccountSettings) { self.settings = settings }

    var json: JSONValue { .object(members) }

    var members: [String: JSONValue] {
        var policies: [String: JSONValue] = [:]
        for (region, policy) in settings.retrievalPolicies where policy != .none {
            var bytes = JSONValue.null
            if case .bytesPerHour(let count) = policy { bytes = .integer(Int64(clamping: count)) }
            policies[region.code] = ["strategy": .string(policy.strategy), "bytesPerHour": bytes]
        }
        var capacity: [String: JSONValue] = [:]
        for (region, units) in settings.capacity {
            capacity[region.code] = .array(
                units.map {
                    [
                        "id": .string($0.id), "start": .integer($0.start.milliseconds),
                        "expiration": .integer($0.expiration.milliseconds),
                    ]
                })
        }
        return ["retrievalPolicies": .object(policies), "provisionedCapacity": .object(capacity)]
    }

    init?(json: JSONValue) {
        settings = .none
        for (code, value) in json["retrievalPolicies"]?.objectValue ?? [:] {
            guard let region = Region(code), let policy = Self.policy(value) else { return nil }
            settings.retrievalPolicies[region] = policy
        }
        for (code, value) in json["provisionedCapacity"]?.objectValue ?? [:] {
            guard let region = Region(code), let list = value.arrayValue else { return nil }
            let units = list.compactMap(Self.unit)
            guard units.count == list.count else { return nil }
            settings.capacity[region] = units
        }
    }

    private static func policy(_ json: JSONValue) -> DataRetrievalPolicy? {
        switch json["strategy"]?.stringValue {
        case "FreeTier": .freeTier
        case "BytesPerHour": json["bytesPerHour"]?.integerValue.flatMap { $0 > 0 ? .bytesPerHour(UInt64($0)) : nil }
        default: nil
        }
    }

    private static func unit(_ json: JSONValue) -> CapacityUnit? {
        guard let id = json["id"]?.stringValue, let start = json["start"]?.integerValue,
            let expiration = json["expiration"]?.integerValue
        else { return nil }
        return CapacityUnit(
            id: id, start: Timestamp(milliseconds: start), expiration: Timestamp(milliseconds: expiration))
    }
}

/// Columns of an account and its members, under the master key.
extension Keyring {
    /// Under the newest master key.
    func sealUnderMaster<Document: ColumnDocument>(
        _ document: Document, uid: [UInt8], random: any RandomByteSource
    ) throws(VaultError) -> SealedColumnValue {
        let master = currentMaster
        return try seal(document, uid: uid, version: master.version, key: master.key, random: random)
    }

    func openUnderMaster<Document: ColumnDocument>(
        _ column: SealedColumnValue, as type: Document.Type, uid: [UInt8]
    ) throws(VaultError) -> Document {
        let key = try master(column.keyVersion)
        do {
            let bytes = try SealedColumn.open(column.bytes, table: Document.table, rowUID: uid, key: key)
            guard let document = Document(json: try JSONParser.parse(bytes)) else {
                throw VaultError(.integrity, "A column of table \(Document.table) does not hold what it should.")
            }
            return document
        } catch {
            throw .wrapping(error, "reading a sealed column of table \(Document.table)")
        }
    }
}
