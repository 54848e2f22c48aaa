// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultEngine
import VaultModel

/// What the engine tells, as the admin socket's JSON.
extension JSONValue {
    static func state(_ active: Bool) -> JSONValue { active ? "active" : "disabled" }

    private static func time(_ timestamp: Timestamp) -> JSONValue { .string(timestamp.iso8601Milliseconds) }

    // MARK: accounts and access keys

    static func answer(_ key: NewAccessKey, user: UserName?) -> JSONValue {
        [
            "accessKeyId": .string(key.accessKeyID), "accountId": .string(key.account.digits),
            "secretAccessKey": .string(key.secretAccessKey), "user": .text(user?.text),
        ]
    }

    static func answer(_ account: AccountDescription) -> JSONValue {
        [
            "accountId": .string(account.account.digits), "created": time(account.created),
            "state": state(account.isActive),
        ]
    }

    static func answer(_ key: AccessKeyDescription) -> JSONValue {
        [
            "accessKeyId": .string(key.accessKeyID), "accountId": .string(key.account.digits),
            "created": time(key.created), "state": state(key.isActive), "user": .text(key.user?.text),
        ]
    }

    // MARK: users, policies, sessions

    static func user(_ account: AccountID, _ name: UserName, state: JSONValue) -> JSONValue {
        [
            "accountId": .string(account.digits), "arn": .string(Principal(account: account, user: name).arn),
            "state": state, "user": .string(name.text),
        ]
    }

    static func answer(_ user: UserDescription) -> JSONValue {
        [
            "accountId": .string(user.account.digits),
            "arn": .string(Principal(account: user.account, user: user.name).arn), "created": time(user.created),
            "policies": .array(user.policies.map { .string($0) }), "state": state(user.isActive),
            "user": .string(user.name.text),
        ]
    }

    static func policy(_ account: AccountID, _ user: UserName, _ name: String, state: JSONValue) -> JSONValue {
        [
            "accountId": .string(account.digits), "name": .string(name), "state": state, "user": .string(user.text),
        ]
    }

    static func answer(_ session: NewSession) -> JSONValue {
        [
            "accessKeyId": .string(session.accessKeyID), "expires": .string(session.expires.iso8601Seconds),
            "principal": .string(session.principal.arn), "secretAccessKey": .string(session.secretAccessKey),
            "sessionToken": .string(session.sessionToken),
        ]
    }

    static func answer(_ verdict: AccessVerdict) -> JSONValue {
        [
            "allowed": .bool(verdict.isAllowed), "policy": .text(verdict.policy), "reason": .string(verdict.reason),
            "statement": .text(verdict.statement), "text": .string(verdict.text),
        ]
    }

    // MARK: topics and their messages

    static func answer(_ topic: NewTopic) -> JSONValue {
        [
            "signingSecret": .string(topic.signingSecret), "target": topic.target.document,
            "topic": .string(topic.topic.text),
        ]
    }

    static func answer(_ topic: TopicDescription) -> JSONValue {
        ["created": time(topic.created), "target": topic.target.document, "topic": .string(topic.topic.text)]
    }

    static func answer(_ message: MessageDescription) -> JSONValue {
        [
            "attempts": .integer(Int64(message.attempts)), "created": time(message.created),
            "lastFailure": .text(message.lastFailure), "messageId": .string(message.id.hex),
            "nextAttempt": message.isDead ? .null : time(message.nextAttempt),
            "state": message.isDead ? "dead" : "waiting", "topic": .string(message.topic.text),
        ]
    }

    // MARK: keys, backups, the clock

    static func answer(_ listing: KeyListing) -> JSONValue {
        [
            "masterKeys": .array(
                listing.master.map { key in
                    [
                        "created": time(key.created), "current": .bool(key.isCurrent),
                        "references": .count(key.references), "slots": .array(key.slots.map { .string($0) }),
                        "state": .string(key.state.rawValue), "version": .integer(Int64(key.version)),
                    ]
                }),
            "auditKeys": .array(listing.audit.map { answer($0) }),
            "signingKeys": .array(listing.signing.map { answer($0) }),
            "vaultKeys": .array(
                listing.vaults.map { key in
                    [
                        "accountId": .string(key.location.account.digits), "created": time(key.created),
                        "current": .bool(key.isCurrent), "masterKeyVersion": .integer(Int64(key.masterVersion)),
                        "references": .count(key.references), "region": .string(key.location.region.code),
                        "state": .string(key.state.rawValue), "vault": .string(key.location.name.text),
                        "vaultUid": .string(key.vault.hex), "version": .integer(Int64(key.version)),
                    ]
                }),
        ]
    }

    static func answer(_ report: RotationReport) -> JSONValue {
        [
            "newVersion": .integer(Int64(report.newVersion)), "resealedAccounts": .count(report.resealedAccounts),
            "rewrappedVaultKeys": .count(report.rewrappedVaultKeys),
        ]
    }

    static func answer(_ clock: ClockStatus) -> JSONValue {
        [
            "expected": time(clock.expected), "highest": time(clock.highest), "now": time(clock.now),
            "trusted": .bool(clock.isTrusted),
        ]
    }
}
