// SPDX-License-Identifier: Apache-2.0

import Storage
public import VaultModel

// For rooms that do not see the catalog's rows.

extension MessageDescription {
    /// Given up, and not on its way any more.
    public var isDead: Bool { state == .dead }

    init(
        id: MessageUID, topic: TopicARN, account: AccountID, created: Timestamp, isDead: Bool, attempts: UInt32,
        nextAttempt: Timestamp, lastFailure: String?
    ) {
        self.id = id
        self.topic = topic
        self.account = account
        self.created = created
        state = isDead ? .dead : .waiting
        self.attempts = attempts
        self.nextAttempt = nextAttempt
        self.lastFailure = lastFailure
    }
}

extension VaultEngine {
    /// As ``listMessages(_:state:after:limit:)``.
    public func listMessages(
        _ account: AccountID, isDead: Bool, after: MessageUID?, limit: Int
    ) async throws(VaultError) -> [MessageDescription] {
        try await listMessages(account, state: isDead ? .dead : .waiting, after: after, limit: limit)
    }
}
