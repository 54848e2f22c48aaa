// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
public import Messaging
import Storage
public import VaultModel

extension VaultEngine {
    /// Makes a topic of an account, with a fresh signing secret. The target is judged, and looked at where it is local.
    /// Durable on return.
    public func createTopic(_ topic: TopicARN, target: TopicTarget) async throws(VaultError) -> NewTopic {
        if let fault = target.fault { throw VaultError(.invalidParameter, fault) }
        if let transport {
            do throws(DeliveryFailure) {
                try await transport.check(target)
            } catch {
                throw VaultError(.invalidParameter, "The target cannot be used: \(error.reason).", cause: error)
            }
        }
        let column = TopicColumn(target: target, secret: random.bytes(TopicColumn.secretBytes))
        let created = clock.now()
        try await changeAccount(
            topic.account, as: .account(topic.account, "CreateTopic", ["topic": .string(topic.text)])
        ) { account in
            guard !account.topics.contains(where: { $0.topic == topic }) else {
                throw VaultError(
                    .invalidParameter, "Topic \(topic) exists already. Delete it first, or choose another name.")
            }
            account.topics.append(AccountState.Topic(topic: topic, created: created, document: column.json))
        }
        // Messages may wait for it already.
        deliveries.withQueue { $0.forgive(topic) }
        deliveries.wake.signal()
        return NewTopic(topic: topic, target: target, signingSecret: Hex.encode(column.secret))
    }

    /// All topics of an account, by ARN.
    public func listTopics(_ account: AccountID) async throws(VaultError) -> [TopicDescription] {
        try await vaultErrors("listing topics") {
            guard try await catalog.account(account) != nil else { throw Self.noAccount(account) }
            return try await catalog.members(of: account).topics.map { row in
                TopicDescription(topic: row.topic, target: try open(row).target, created: row.created)
            }
        }
    }

    /// Removes a topic with its secret. Messages that wait for it are given up. Durable on return.
    public func deleteTopic(_ topic: TopicARN) async throws(VaultError) {
        try await changeAccount(
            topic.account, as: .account(topic.account, "DeleteTopic", ["topic": .string(topic.text)])
        ) { account in
            guard let index = account.topics.firstIndex(where: { $0.topic == topic }) else { throw Self.noTopic(topic) }
            account.topics.remove(at: index)
        }
        deliveries.withQueue { $0.forgive(topic) }
        deliveries.wake.signal()
    }

    /// Delivers a test message now and returns when the target has taken it. Its body says that it is none of a job.
    public func testTopic(_ topic: TopicARN) async throws(VaultError) {
        let found = try await vaultErrors("looking up a topic") { try await catalog.topic(topic) }
        guard let row = found else { throw Self.noTopic(topic) }
        guard let transport else { throw VaultError(.unavailable, "This service delivers no messages.") }
        let column = try open(row)
        let now = clock.now()
        let body: JSONValue = ["Test": true, "TopicARN": .string(topic.text), "Time": .string(now.iso8601Milliseconds)]
        let message = TopicMessage(
            id: MessageUID(at: now, random: random), topic: topic, subject: "Test", body: body.canonicalString(),
            created: now)
        do throws(DeliveryFailure) {
            try await transport.deliver(message, to: column.target, secret: column.secret)
        } catch {
            throw VaultError(
                error.isTransient ? .unavailable : .invalidParameter,
                "The target did not take the test message: \(error.reason).",
                cause: error)
        }
        deliveries.withQueue { $0.forgive(topic) }
        deliveries.wake.signal()
    }

    func open(_ row: TopicRow) throws(VaultError) -> TopicColumn {
        try keyring.openUnderMaster(row.target, as: TopicColumn.self, uid: TopicDocument.rowUID(row.topic))
    }

    private static func noTopic(_ topic: TopicARN) -> VaultError {
        VaultError(.notFound, "There is no topic \(topic). List the account's topics and check the ARN.")
    }
}
