// SPDX-License-Identifier: Apache-2.0

import Logging
import Metrics
import Storage
import Synchronization
import VaultModel

/// Messages that were given up: kept for the operator, so many of an account and no more.
final class DeadLetters: Sendable {
    /// An account keeps its newest dead letters: at least so many,
    static let kept = 1000
    /// and so many more before the oldest are dropped.
    static let slack = 100
    private static let maxRememberedAccounts = 10_000

    private let catalog: any Catalog
    private let logger: Logger
    private let buried = Counter(label: "coldvault.messages.given.up")
    private let dropped = Counter(label: "coldvault.dead.messages.dropped")
    /// Buried since the account's letters were counted last; an account that is missing was never counted.
    private let uncounted = Mutex<[AccountID: Int]>([:])

    init(catalog: any Catalog, logger: Logger) {
        self.catalog = catalog
        self.logger = logger
    }

    /// Writes a message down as dead, and makes room when its account has too many of them.
    func bury(_ row: OutboxRow) async throws(StorageError) {
        try await catalog.updateMessage(row, audit: .none)
        buried.increment()
        logger.warning(
            "a message was given up",
            metadata: [
                "message": "\(row.id)", "topic": "\(row.topic)", "attempts": "\(row.attempts)",
                "reason": "\(row.lastFailure ?? "")",
            ])
        let mustCount = uncounted.withLock { uncounted in
            if uncounted.count >= Self.maxRememberedAccounts, uncounted[row.account] == nil { uncounted.removeAll() }
            let count = uncounted[row.account].map { $0 + 1 } ?? Self.slack
            uncounted[row.account] = count >= Self.slack ? 0 : count
            return count >= Self.slack
        }
        if mustCount { try await trim(row.account) }
    }

    private func trim(_ account: AccountID) async throws(StorageError) {
        // Ids sort by time. A few rounds are enough: each takes all that came since the last.
        for _ in 0..<8 {
            let letters = try await catalog.messages(
                account: account, state: .dead, after: nil, limit: Self.kept + 4 * Self.slack)
            guard letters.count > Self.kept else { return }
            let surplus = letters.prefix(letters.count - Self.kept)
            for letter in surplus { try await catalog.removeMessage(letter.id, audit: .none) }
            dropped.increment(by: surplus.count)
            logger.warning(
                "the oldest dead letters of an account were dropped",
                metadata: ["account": "\(account)", "count": "\(surplus.count)"])
            guard letters.count == Self.kept + 4 * Self.slack else { return }
        }
    }
}
