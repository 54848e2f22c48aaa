// SPDX-License-Identifier: Apache-2.0

/// What one account may ask for at once and in a second.
public struct AccountLimits: Sendable, Hashable {
    /// Requests at work at once, from their authentication until their answers are out; at least 1.
    public var concurrentRequests = 256
    /// Requests a second in the long run; 0: as many as the service can take. Twice as many may come at once.
    public var requestsPerSecond = 0

    public init() {}
}

/// Whether one account's next request is taken now, pure. A bucket of tokens that refills with time, and a count.
struct AccountUse {
    enum Verdict: Equatable {
        case taken
        case tooMany
        case tooFast
    }

    private(set) var atWork = 0
    private var tokens: Double
    private var filled: Duration

    init(limits: AccountLimits, now: Duration) {
        tokens = Double(limits.requestsPerSecond) * 2
        filled = now
    }

    /// - Parameter now: of a clock that never goes back; if it does all the same, nothing is added.
    mutating func begins(limits: AccountLimits, now: Duration) -> Verdict {
        guard atWork < limits.concurrentRequests else { return .tooMany }
        if limits.requestsPerSecond > 0 {
            refill(limits, now)
            guard tokens >= 1 else { return .tooFast }
            tokens -= 1
        }
        atWork += 1
        return .taken
    }

    mutating func ends() { atWork -= 1 }

    /// Whether forgetting it changes nothing.
    mutating func isAtRest(limits: AccountLimits, now: Duration) -> Bool {
        guard atWork == 0 else { return false }
        refill(limits, now)
        return tokens >= Double(limits.requestsPerSecond) * 2
    }

    private mutating func refill(_ limits: AccountLimits, _ now: Duration) {
        let rate = Double(limits.requestsPerSecond)
        let passed = max(.zero, now - filled) / .seconds(1)
        tokens = min(rate * 2, tokens + passed * rate)
        filled = max(filled, now)
    }
}
