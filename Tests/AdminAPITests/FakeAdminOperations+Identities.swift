// SPDX-License-Identifier: Apache-2.0

import Messaging
import VaultModel

@testable import AdminAPI
@testable import VaultEngine

extension FakeAdminOperations {
    func createUser(_ account: AccountID, _ name: UserName) async throws(VaultError) {
        note("createUser \(account) \(name)")
    }
    func listUsers(_ account: AccountID) async throws(VaultError) -> [UserDescription] {
        [
            UserDescription(
                account: account, name: AdminRequestTests.user, isActive: true, created: Self.moment,
                policies: ["reader", "writer"])
        ]
    }
    func setUser(_ account: AccountID, _ name: UserName, active: Bool) async throws(VaultError) {
        note("setUser \(account) \(name) \(active)")
    }
    func deleteUser(_ account: AccountID, _ name: UserName) async throws(VaultError) {
        note("deleteUser \(account) \(name)")
        throw VaultError(.notFound, "There is no user \(name) in account \(account).")
    }
    func putUserPolicy(
        _ account: AccountID, _ user: UserName, name: String, document: String
    ) async throws(VaultError) {
        note("putUserPolicy \(account) \(user) \(name) \(document)")
        guard document.hasPrefix("{") else {
            throw VaultError(.invalidParameter, "Statement[0].Action: there is no such action")
        }
    }
    func deleteUserPolicy(_ account: AccountID, _ user: UserName, name: String) async throws(VaultError) {
        note("deleteUserPolicy \(account) \(user) \(name)")
    }
    func userPolicies(_ account: AccountID, _ user: UserName) async throws(VaultError) -> [String: String] {
        ["writer": "{\"b\":1}", "reader": "{ }"]
    }
    func createSession(
        _ principal: Principal, duration: Duration, policy: String?
    ) async throws(VaultError) -> NewSession {
        note("createSession \(principal) \(duration.components.seconds) \(policy ?? "-")")
        return NewSession(
            principal: principal, accessKeyID: "CVTKIOSFODNN7EXAMPLE", secretAccessKey: "secret", sessionToken: "token",
            expires: Self.moment)
    }
    func simulate(_ question: AccessQuestion) async throws(VaultError) -> AccessVerdict {
        let circumstances = "\(question.sourceAddress ?? "-") \(question.isSecure)"
        note("simulate \(question.principal) \(question.action.rawValue) \(circumstances)")
        guard question.principal.isRoot else {
            return AccessVerdict(
                isAllowed: false, reason: "explicitDeny", policy: "lock policy", statement: "one-year",
                text: "denied by statement one-year of the lock policy")
        }
        return AccessVerdict(
            isAllowed: true, reason: "rootOfTheAccount", policy: nil, statement: nil,
            text: "allowed: the root of the account")
    }

    func createTopic(_ topic: TopicARN, target: TopicTarget) async throws(VaultError) -> NewTopic {
        note("createTopic \(topic)")
        return NewTopic(topic: topic, target: target, signingSecret: String(repeating: "5", count: 64))
    }
    func listTopics(_ account: AccountID) async throws(VaultError) -> [TopicDescription] {
        [
            TopicDescription(
                topic: AdminRequestTests.topic, target: .command(arguments: ["/bin/notify", "-x"]), created: Self.moment
            )
        ]
    }
    func deleteTopic(_ topic: TopicARN) async throws(VaultError) { note("deleteTopic \(topic)") }
    func testTopic(_ topic: TopicARN) async throws(VaultError) {
        throw VaultError(.unavailable, "The target did not take the message: status 500.")
    }
    func listMessages(
        _ account: AccountID, isDead: Bool, after: MessageUID?, limit: Int
    ) async throws(VaultError) -> [MessageDescription] {
        note("listMessages \(account) \(isDead) \(after?.hex ?? "-") \(limit)")
        // A full page, and one more message on the next.
        let numbers = after == nil ? 1...UInt64(limit) : UInt64(limit) + 1...UInt64(limit) + 1
        return numbers.map { number in
            MessageDescription(
                id: MessageUID(words: UIDWords(high: 0, low: number)), topic: AdminRequestTests.topic, account: account,
                created: Self.moment, isDead: isDead, attempts: 30, nextAttempt: Self.moment,
                lastFailure: "status 500")
        }
    }
    func resendMessage(_ id: MessageUID) async throws(VaultError) { note("resendMessage \(id)") }
    func dropMessage(_ id: MessageUID) async throws(VaultError) { note("dropMessage \(id)") }

    func clockStatus() async throws(VaultError) -> ClockStatus {
        ClockStatus(
            now: Self.moment.advanced(by: .seconds(7200)), highest: Self.moment, expected: Self.moment, isTrusted: false
        )
    }
    func confirmClock() async throws(VaultError) -> ClockStatus {
        note("confirmClock")
        return ClockStatus(now: Self.moment, highest: Self.moment, expected: Self.moment, isTrusted: true)
    }
}

extension FakeAdminOperations {
    func auditPage(_ query: AuditQuery) async throws(VaultError) -> AuditPage {
        note("auditPage \(query.after) \(query.limit)")
        throw VaultError(.integrity, "Entry 8 of the audit log is missing.")
    }
    func verifyAudit() async throws(VaultError) -> AuditVerification {
        AuditVerification(entries: 3, segments: 1, checkpoints: 2, first: 1, last: 3, faults: ["entry 2 was changed"])
    }
    func historyState() -> HistoryState { .catalogRolledBack(catalog: 3, blobs: 5) }
    func listCheckpoints() async throws(VaultError) -> [Checkpoint] { [] }
    func confirmHistory() async throws(VaultError) -> Checkpoint {
        throw VaultError(.unavailable, "The disk is full.")
    }
}
