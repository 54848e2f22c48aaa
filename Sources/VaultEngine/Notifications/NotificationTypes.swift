// SPDX-License-Identifier: Apache-2.0

public import Messaging
public import Storage
public import VaultModel

/// A fresh topic; the only time its signing secret is shown.
public struct NewTopic: Sendable {
    public let topic: TopicARN
    public let target: TopicTarget
    /// 32 bytes as 64 lowercase hexadecimal digits: the key of the signature that webhooks verify.
    public let signingSecret: String
}

public struct TopicDescription: Sendable, Hashable {
    public let topic: TopicARN
    public let target: TopicTarget
    public let created: Timestamp
}

/// A message that waits for its delivery, or that was given up.
public struct MessageDescription: Sendable, Hashable {
    public let id: MessageUID
    public let topic: TopicARN
    /// The account that owns the vault and the job.
    public let account: AccountID
    /// When the job it tells of ended.
    public let created: Timestamp
    public let state: OutboxRow.State
    public let attempts: UInt32
    /// When the next attempt may begin; of no meaning for a dead message.
    public let nextAttempt: Timestamp
    /// Why the last attempt failed, or why the message was given up.
    public let lastFailure: String?

    init(_ row: OutboxRow) {
        id = row.id
        topic = row.topic
        account = row.account
        created = row.created
        state = row.state
        attempts = row.attempts
        nextAttempt = row.notBefore
        lastFailure = row.lastFailure
    }
}
