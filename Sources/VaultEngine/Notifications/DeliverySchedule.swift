// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

/// When a message is tried again and when it is given up; pure. Docs/Operations/Notifications.md states the same
/// numbers.
enum DeliverySchedule {
    static let firstPause: Duration = .seconds(1)
    static let longestPause: Duration = .seconds(3600)
    /// A message that a target did not take for so long after its event is given up…
    static let lifetime: Duration = .seconds(3 * 24 * 3600)
    /// …but not before so many attempts, which take about two minutes: the service may have been down for longer.
    static let minAttempts: UInt32 = 8
    /// A target that answers, and refuses, is asked so often: 8 to 15 seconds, so that a restart behind a proxy is
    /// no refusal.
    static let attemptsWhenRefused: UInt32 = 5

    /// The pause after the `failures`-th failure in a row: 1 s, 2 s, 4 s … 1 h, of which `jitter` (0 to 255) takes up
    /// to a half away, so that messages which failed together do not come again together.
    static func pause(after failures: UInt32, jitter: UInt8) -> Duration {
        let doublings = min(max(failures, 1) - 1, 12)
        let full = min(firstPause * Int(1 << doublings), longestPause)
        return max(.milliseconds(500), full - full * Int(jitter) / 512)
    }

    /// What becomes of `row` after an attempt that failed at `now`.
    static func afterFailure(
        _ row: OutboxRow, reason: String, isTransient: Bool, at now: Timestamp, jitter: UInt8
    ) -> OutboxRow {
        var row = row
        row.attempts += row.attempts < .max ? 1 : 0
        row.lastFailure = reason
        let isRefused = !isTransient && row.attempts >= attemptsWhenRefused
        if isRefused || (isExpired(row, at: now) && row.attempts >= minAttempts) {
            row.state = .dead
            row.notBefore = now
        } else {
            row.notBefore = now.advanced(by: pause(after: row.attempts, jitter: jitter))
        }
        return row
    }

    /// `row`, given up at `now` without an attempt.
    static func givenUp(_ row: OutboxRow, reason: String, at now: Timestamp) -> OutboxRow {
        var row = row
        row.state = .dead
        row.lastFailure = reason
        row.notBefore = now
        return row
    }

    static func isExpired(_ row: OutboxRow, at now: Timestamp) -> Bool { now.since(row.created) >= lifetime }
}
