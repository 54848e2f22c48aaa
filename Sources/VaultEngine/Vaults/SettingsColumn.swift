// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultModel

/// A vault's settings in its sealed catalog column; the same members stand in its state record (Docs/Formats/Record-v1.md, section 2).
struct SettingsColumn: ColumnDocument, Equatable {
    static let table = "vaults"
    var settings: VaultSettings

    var json: JSONValue { .object(settings.members) }

    init(_ settings: VaultSettings) { self.settings = settings }

    init?(json: JSONValue) {
        guard let members = json.objectValue, let settings = VaultSettings(members: members) else { return nil }
        self.init(settings)
    }
}

extension VaultSettings {
    /// Byte by byte. Strings that differ only in their Unicode normalisation are equal in Swift and not in a policy.
    func isIdentical(to other: VaultSettings) -> Bool {
        JSONValue.object(members).canonicalBytes() == JSONValue.object(other.members).canonicalBytes()
    }

    /// The members `tags`, `accessPolicy`, `lock` and `notifications`, null where there is nothing.
    var members: [String: JSONValue] {
        [
            "tags": tags.isEmpty ? .null : .object(tags.mapValues { .string($0) }),
            "accessPolicy": .optional(accessPolicy),
            "lock": lock.map { lock in
                [
                    "id": .string(lock.id), "policy": .string(lock.policy), "state": .string(lock.state.rawValue),
                    "created": .integer(lock.created.milliseconds),
                ]
            } ?? .null,
            "notifications": notifications.map { notifications in
                [
                    "topic": .string(notifications.topic.text),
                    "events": .array(notifications.events.map { .string($0.rawValue) }),
                ]
            } ?? .null,
        ]
    }

    /// Nil when a member is not what it must be; an absent one counts as null.
    init?(members: [String: JSONValue]) {
        // A bare nil would be read as the JSON null.
        func given(_ name: String) -> JSONValue? { members[name].flatMap { $0.isNull ? JSONValue?.none : $0 } }
        self.init()
        if let value = given("tags") {
            guard let pairs = value.objectValue else { return nil }
            for (key, value) in pairs {
                guard let text = value.stringValue else { return nil }
                tags[key] = text
            }
        }
        if let value = given("accessPolicy") {
            guard let text = value.stringValue else { return nil }
            accessPolicy = text
        }
        if let value = given("lock") {
            guard let id = value["id"]?.stringValue, let policy = value["policy"]?.stringValue,
                let state = value["state"]?.stringValue.flatMap(VaultLock.State.init(rawValue:)),
                let created = value["created"]?.integerValue
            else { return nil }
            lock = VaultLock(id: id, policy: policy, state: state, created: Timestamp(milliseconds: created))
        }
        if let value = given("notifications") {
            guard let topic = value["topic"]?.stringValue.flatMap({ TopicARN($0) }),
                let names = value["events"]?.arrayValue
            else { return nil }
            let events = names.compactMap { $0.stringValue.flatMap(VaultEvent.init(rawValue:)) }
            guard events.count == names.count, !events.isEmpty else { return nil }
            notifications = VaultNotifications(topic: topic, events: events)
        }
    }
}
