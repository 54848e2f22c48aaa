// SPDX-License-Identifier: Apache-2.0

import Metrics
import Synchronization
import VaultModel

/// Keeps each account within its limits, so that none takes the others' share: the shell of ``AccountUse``.
///
/// A request beyond them gets the documented `ThrottlingException` (status 400), after which the SDKs pause and try
/// again. Its body, if it has one, was not read.
final class AccountDesk: Sendable {
    /// Accounts remembered at once; those at rest are forgotten first, and forgetting one that is not only fills its
    /// bucket.
    private static let maxRemembered = 10_000

    private let limits: AccountLimits
    private let clock: any TimeSource
    private let uses = Mutex<[AccountID: AccountUse]>([:])
    private let throttled: Counter

    init(limits: AccountLimits, clock: any TimeSource, metrics: any MetricsFactory) {
        self.limits = limits
        self.clock = clock
        throttled = Counter(label: "coldvault.requests.throttled", factory: metrics)
    }

    /// - Throws: `WireError` `ThrottlingException`.
    func begins(_ account: AccountID) throws(WireError) {
        let now = clock.monotonic()
        let verdict = uses.withLock { uses in
            if uses.count >= Self.maxRemembered, uses[account] == nil { forgetSome(&uses, now) }
            var use = uses[account] ?? AccountUse(limits: limits, now: now)
            let verdict = use.begins(limits: limits, now: now)
            uses[account] = use
            return verdict
        }
        switch verdict {
        case .taken: return
        case .tooMany:
            throttled.increment()
            throw .throttled("Too many requests of this account at once. Please wait for some of them to end.")
        case .tooFast:
            throttled.increment()
            throw .throttled("Rate exceeded")
        }
    }

    /// Once for every request that has begun.
    func ends(_ account: AccountID) {
        uses.withLock { uses in
            uses[account]?.ends()
            // Without a rate nothing is worth remembering of an account at rest.
            if limits.requestsPerSecond == 0, uses[account]?.atWork == 0 { uses[account] = nil }
        }
    }

    private func forgetSome(_ uses: inout [AccountID: AccountUse], _ now: Duration) {
        uses = uses.filter { entry in
            var use = entry.value
            return !use.isAtRest(limits: limits, now: now)
        }
        if uses.count >= Self.maxRemembered { uses = uses.filter { $0.value.atWork > 0 } }
    }
}
