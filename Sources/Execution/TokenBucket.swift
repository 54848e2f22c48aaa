// SPDX-License-Identifier: Apache-2.0

/// Keeps background work below a rate: says how long to wait before so much more may be done. Pure: the caller has the clock and the pause.
///
/// A debt is paid after the work that made it, so one piece may exceed the rate for an instant; over any longer span the rate is kept.
public struct TokenBucket: Sendable {
    /// Units in a second; nil: no limit.
    public let perSecond: UInt64?
    /// When what was taken so far is paid for, on the clock of `take`.
    private var paidAt: Duration?

    public init(perSecond: UInt64?) { self.perSecond = perSecond.flatMap { $0 == 0 ? nil : $0 } }

    /// `units` were used at `now`. How long to pause before the next.
    public mutating func take(_ units: UInt64, at now: Duration) -> Duration {
        guard let perSecond else { return .zero }
        // Idle time is not saved up: a pause in the work must not be followed by a burst.
        let start = max(paidAt ?? now, now)
        let (seconds, rest) = units.quotientAndRemainder(dividingBy: perSecond)
        let paid = start + .seconds(Int64(clamping: seconds)) + .nanoseconds(Int64(Double(rest) / Double(perSecond) * 1e9))
        paidAt = paid
        return paid - now
    }
}
