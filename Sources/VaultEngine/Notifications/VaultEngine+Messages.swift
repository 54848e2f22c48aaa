// SPDX-License-Identifier: Apache-2.0

public import Storage
public import VaultModel

extension VaultEngine {
    /// Messages of an account in a state, oldest first. `after` is the last one of the page before.
    public func listMessages(
        _ account: AccountID, state: OutboxRow.State, after: MessageUID?, limit: Int
    ) async throws(VaultError) -> [MessageDescription] {
        try await vaultErrors("listing messages") {
            guard try await catalog.account(account) != nil else { throw Self.noAccount(account) }
            return try await catalog.messages(account: account, state: state, after: after, limit: limit).map(
                MessageDescription.init)
        }
    }

    /// Sends a message again, dead or waiting, as if it were new: with all its attempts before it, and at once.
    public func resendMessage(_ id: MessageUID) async throws(VaultError) {
        let topic = try await vaultErrors("sending a message again") {
            guard var row = try await catalog.message(id) else { throw Self.noMessage(id) }
            row.state = .waiting
            row.attempts = 0
            row.notBefore = clock.now()
            try await catalog.updateMessage(row, audit: try audit(.message(row, "message:Resend")))
            return row.topic
        }
        deliveries.withQueue { $0.forgive(topic) }
        deliveries.wake.signal()
    }

    /// Forgets a message that is not delivered. An attempt that is under way may still deliver it.
    public func dropMessage(_ id: MessageUID) async throws(VaultError) {
        try await vaultErrors("dropping a message") {
            guard let row = try await catalog.message(id) else { throw Self.noMessage(id) }
            try await catalog.removeMessage(id, audit: try audit(.message(row, "message:Drop")))
        }
    }

    private static func noMessage(_ id: MessageUID) -> VaultError {
        VaultError(.notFound, "There is no message \(id): it was delivered or dropped.")
    }
}
