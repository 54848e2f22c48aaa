// SPDX-License-Identifier: Apache-2.0

import Cryptography
public import Messaging
import Storage
public import VaultModel

extension VaultEngine {
    /// Makes a topic of an account, with a fresh signing secret. Durable on return.
    public func createTopic(_ topic: TopicARN, target: TopicTarget) async throws(VaultError) -> NewTopic {
        throw VaultError(.unavailable, "Topics cannot be made yet.")
    }

    /// All topics of an account, by ARN.
    public func listTopics(_ account: AccountID) async throws(VaultError) -> [TopicDescription] { [] }

    /// Removes a topic. Messages that wait for it are given up.
    public func deleteTopic(_ topic: TopicARN) async throws(VaultError) {
        throw VaultError(.unavailable, "Topics cannot be deleted yet.")
    }

    /// Delivers a test message now and returns when the target has taken it.
    public func testTopic(_ topic: TopicARN) async throws(VaultError) {
        throw VaultError(.unavailable, "Topics cannot be tested yet.")
    }
}
