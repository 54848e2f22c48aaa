// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultModel

/// The documents of what is set on a vault or an account.
extension Documents {
    static func notifications(_ notifications: VaultNotifications) -> JSONValue {
        [
            "Events": .array(notifications.events.map { .string($0.rawValue) }),
            "SNSTopic": .string(notifications.topic.text),
        ]
    }

    static func accessPolicy(_ policy: String) -> JSONValue { ["Policy": .string(policy)] }

    /// `ExpirationDate` is null once the lock is completed.
    static func lock(_ lock: VaultLock) -> JSONValue {
        [
            "CreationDate": .string(lock.created.iso8601Milliseconds),
            "ExpirationDate": .text(lock.expires?.iso8601Milliseconds),
            "Policy": .string(lock.policy),
            "State": .string(lock.state.rawValue),
        ]
    }

    static func tags(_ tags: [String: String]) -> JSONValue { ["Tags": .object(tags.mapValues { .string($0) })] }

    /// `BytesPerHour` is null for the other strategies.
    static func retrievalPolicy(_ policy: DataRetrievalPolicy) -> JSONValue {
        var bytes: UInt64?
        if case .bytesPerHour(let count) = policy { bytes = count }
        return ["Policy": ["Rules": [["BytesPerHour": .count(bytes), "Strategy": .string(policy.strategy)]]]]
    }

    static func capacity(_ units: [CapacityUnit]) -> JSONValue {
        let list = units.map { unit -> JSONValue in
            [
                "CapacityId": .string(unit.id),
                "ExpirationDate": .string(unit.expiration.iso8601Milliseconds),
                "StartDate": .string(unit.start.iso8601Milliseconds),
            ]
        }
        return ["ProvisionedCapacityList": .array(list)]
    }
}
