// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// How far the wall clock is believed where a vault lock depends on it. Pure: readings in, judgements out.
///
/// The highest time ever trusted is durable. From it on, time is believed to pass as fast as the monotonic clock says; a wall clock that
/// runs ahead of that by more than ``tolerance`` has been moved (or the service was off for longer), and deletions that a lock governs wait
/// until an operator confirms the clock. Until then, ages and expiries are computed with the latest time that is believed.
struct ClockGuard: Sendable, Equatable {
    static let tolerance: Duration = .seconds(3600)
    /// How often the highest time is made durable.
    static let storeInterval: Duration = .seconds(60)

    /// What was trusted when the monotonic clock stood at `mark`.
    private var base: Timestamp
    private var mark: Duration
    /// The highest time reached so far, durable or about to be.
    private(set) var highest: Timestamp
    private var storedAt: Duration?

    /// - Parameter stored: the durable highest time; nil on the very first start, which trusts the clock.
    init(stored: Timestamp?, wall: Timestamp, monotonic: Duration) {
        base = stored ?? wall
        mark = monotonic
        highest = base
    }

    /// The time it is if the clock is right, as far as this guard can tell.
    func trusted(at monotonic: Duration) -> Timestamp { base.advanced(by: max(.zero, monotonic - mark)) }

    func isAhead(wall: Timestamp, monotonic: Duration) -> Bool { wall > latest(at: monotonic) }

    /// The wall clock, cut to what is believed: it neither jumps ahead nor goes back behind the time that has surely passed.
    func believed(wall: Timestamp, monotonic: Duration) -> Timestamp {
        min(max(wall, trusted(at: monotonic)), latest(at: monotonic))
    }

    /// The date for what is made now and protected from now on: a wall clock that was set back, or lost, makes nothing look older.
    func stamp(wall: Timestamp, monotonic: Duration) -> Timestamp { max(wall, trusted(at: monotonic)) }

    /// The time that has surely come: the wall clock while it is believed, and what the monotonic clock says in any case.
    func reached(wall: Timestamp, monotonic: Duration) -> Timestamp {
        let counted = max(highest, trusted(at: monotonic))
        return isAhead(wall: wall, monotonic: monotonic) ? counted : max(wall, counted)
    }

    /// The time to make durable now, or nil: at most once per ``storeInterval`` unless `always`, and only when it went up.
    mutating func toStore(wall: Timestamp, monotonic: Duration, always: Bool = false) -> Timestamp? {
        let time = reached(wall: wall, monotonic: monotonic)
        guard time > highest else { return nil }
        if !always, let storedAt, monotonic - storedAt < Self.storeInterval { return nil }
        highest = time
        storedAt = monotonic
        return time
    }

    /// An operator says that the wall clock is right, whatever it was before.
    mutating func confirm(wall: Timestamp, monotonic: Duration) {
        base = wall
        mark = monotonic
        highest = wall
        storedAt = monotonic
    }

    private func latest(at monotonic: Duration) -> Timestamp { trusted(at: monotonic).advanced(by: Self.tolerance) }
}
