// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultModel

/// Reads the bodies that set something on a vault or an account; what a policy's text says is the engine's to judge.
enum SettingParameters {
    /// `{"SNSTopic":"arn:aws:sns:…","Events":["ArchiveRetrievalCompleted"]}`. An event named twice counts once.
    static func notifications(_ body: [UInt8]) throws(WireError) -> VaultNotifications {
        let document = try RequestMembers(parsing: body, missing: "vaultNotificationConfig")
        guard let topic = try document.topic("SNSTopic") else { throw .missing("SNSTopic") }
        guard let names = try document.texts("Events") else { throw .missing("Events") }
        guard !names.isEmpty else { throw .invalid("Events must hold at least one event.") }
        var events: [VaultEvent] = []
        for name in names {
            guard let event = VaultEvent(rawValue: name) else {
                let known = VaultEvent.allCases.map(\.rawValue).joined(separator: " or ")
                throw .invalid("Events", PrintableText.excerpt(name), because: "An event must be \(known).")
            }
            if !events.contains(event) { events.append(event) }
        }
        return VaultNotifications(topic: topic, events: events)
    }

    /// `{"Policy":"<policy document as a string>"}` of an access policy or a lock.
    static func policy(_ body: [UInt8]) throws(WireError) -> String {
        let document = try RequestMembers(parsing: body, missing: "policy")
        guard let policy = try document.text("Policy") else { throw .missing("policy") }
        guard policy.utf8.count <= Limits.maxVaultPolicyBytes else {
            throw .invalid("Policy has \(policy.utf8.count) bytes; at most \(Limits.maxVaultPolicyBytes) are allowed.")
        }
        return policy
    }

    /// `{"Policy":{"Rules":[{"Strategy":"BytesPerHour","BytesPerHour":1048576}]}}`: exactly one rule.
    static func retrievalPolicy(_ body: [UInt8]) throws(WireError) -> DataRetrievalPolicy {
        let document = try RequestMembers(parsing: body, missing: "Policy")
        guard let policy = try document.members("Policy") else { throw .missing("Policy") }
        guard let rules = policy.value("Rules") else { throw .missing("Rules") }
        guard let rules = rules.arrayValue, rules.count == 1, rules[0].objectValue != nil else {
            throw .invalid("Rules must be an array of exactly one rule.")
        }
        let rule = RequestMembers(rules[0])
        guard let strategy = try rule.text("Strategy") else { throw .missing("Strategy") }
        let bytesPerHour = try rule.count("BytesPerHour")
        switch (strategy, bytesPerHour) {
        case ("None", nil): return .none
        case ("FreeTier", nil): return .freeTier
        case ("BytesPerHour", let bytes?): return .bytesPerHour(bytes)
        case ("BytesPerHour", nil): throw .invalid("The strategy BytesPerHour needs a value of BytesPerHour.")
        case ("None", _?), ("FreeTier", _?):
            throw .invalid("BytesPerHour belongs to the strategy BytesPerHour only, not to \(strategy).")
        default:
            throw .invalid(
                "Strategy", PrintableText.excerpt(strategy), because: "It must be BytesPerHour, FreeTier or None.")
        }
    }
}
