// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

/// Whose turn it is, pure: among the accounts that have work, the one with the fewest jobs running; then the one served longest ago; then the
/// one whose job has the earliest deadline. So an account that queues ten thousand jobs delays nobody else's first by more than the
/// jobs that run already.
struct FairShare {
    /// Accounts remembered at once; the oldest are forgotten first, which only makes them look unserved.
    private static let maxRemembered = 10_000

    private var running: [AccountID: Int] = [:]
    private var lastServed: [AccountID: UInt64] = [:]
    private var turn: UInt64 = 0

    /// `candidates`: for every account its job of the earliest deadline.
    func next(of candidates: [JobRow]) -> JobRow? {
        candidates.min { left, right in
            let leftKey = (running[left.account] ?? 0, lastServed[left.account] ?? 0, left.deadline)
            let rightKey = (running[right.account] ?? 0, lastServed[right.account] ?? 0, right.deadline)
            return leftKey < rightKey
        }
    }

    mutating func started(_ account: AccountID) {
        turn += 1
        if lastServed.count >= Self.maxRemembered, lastServed[account] == nil,
            let oldest = lastServed.min(by: { $0.value < $1.value })?.key
        {
            lastServed[oldest] = nil
        }
        lastServed[account] = turn
        running[account, default: 0] += 1
    }

    mutating func finished(_ account: AccountID) {
        guard let count = running[account] else { return }
        running[account] = count > 1 ? count - 1 : nil
    }
}
