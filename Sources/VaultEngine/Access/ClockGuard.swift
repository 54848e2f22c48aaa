// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// How far the wall clock is believed where a vault lock depends on it. Pure: readings in, judgements out.
///
/// Time is counted: from a time that was trusted, as fast as the monotonic clock runs. What was counted is durable (``ClockRecord``) and goes
/// on after a restart from where it stood, the time in between included when the machine kept running. A wall clock that is ahead of
/// the count by more than ``tolerance`` has been moved, or nobody counted for that long (the machine was off); deletions that a lock governs
/// wait until an operator confirms the clock. Until then, ages and expiries are computed with the latest time that is believed.
///
/// A lead of the wall clock never becomes part of the count. However often it is moved and the service restarted, what is believed is
/// therefore at most ``tolerance`` ahead of the time that was counted since an operator last vouched for the clock.
struct ClockGuard: Sendable, Equatable {
    static let tolerance: Duration = .seconds(3600)
    /// How often the times are made durable.
    static let storeInterval: Duration = .seconds(60)

    /// What was counted when the monotonic clock stood at `mark`.
    private var base: Timestamp
    private var mark: Duration
    /// The highest time of earlier runs: what is believed does not go back behind it.
    private var floor: Timestamp
    /// The highest time reached so far, durable or about to be.
    private(set) var highest: Timestamp
    private var storedCount: Timestamp
    private var storedAt: Duration?

    /// - Parameters:
    ///   - stored: what earlier runs made durable; nil on the very first start, which trusts the clock.
    ///   - run: the run of the machine that `monotonic` counts in (``TimeSource/run``).
    init(stored: ClockRecord?, wall: Timestamp, monotonic: Duration, run: String? = nil) {
        let stored = stored ?? ClockRecord(counted: wall, highest: wall)
        let missed = stored.run != nil && stored.run == run ? max(.zero, monotonic - stored.monotonic) : .zero
        base = stored.counted.advanced(by: missed)
        mark = monotonic
        floor = stored.highest
        highest = stored.highest
        storedCount = stored.counted
    }

    /// The time that was counted: it has surely come.
    func counted(at monotonic: Duration) -> Timestamp { base.advanced(by: max(.zero, monotonic - mark)) }

    func isAhead(wall: Timestamp, monotonic: Duration) -> Bool { wall > latest(at: monotonic) }

    /// The wall clock, cut to what is believed: it neither jumps ahead nor goes back behind the time that has surely passed.
    func believed(wall: Timestamp, monotonic: Duration) -> Timestamp {
        max(floor, min(max(wall, counted(at: monotonic)), latest(at: monotonic)))
    }

    /// The date for what is made now and protected from now on: a wall clock that was set back, or lost, makes nothing look older.
    func stamp(wall: Timestamp, monotonic: Duration) -> Timestamp { max(wall, floor, counted(at: monotonic)) }

    /// The highest time that has come: the wall clock while it is believed, and what was counted in any case.
    func reached(wall: Timestamp, monotonic: Duration) -> Timestamp {
        let sure = max(highest, counted(at: monotonic))
        return isAhead(wall: wall, monotonic: monotonic) ? sure : max(wall, sure)
    }

    /// What to make durable now, or nil: at most once per ``storeInterval`` unless `always`, and only when time went on.
    mutating func toStore(
        wall: Timestamp, monotonic: Duration, run: String? = nil, always: Bool = false
    ) -> ClockRecord? {
        let time = reached(wall: wall, monotonic: monotonic)
        let counted = counted(at: monotonic)
        guard time > highest || counted > storedCount else { return nil }
        if !always, let storedAt, monotonic - storedAt < Self.storeInterval { return nil }
        highest = time
        storedCount = counted
        storedAt = monotonic
        return ClockRecord(counted: counted, highest: time, run: run, monotonic: monotonic)
    }

    /// An operator says that the wall clock is right, whatever it was before.
    mutating func confirm(wall: Timestamp, monotonic: Duration) {
        base = wall
        mark = monotonic
        floor = wall
        highest = wall
        storedCount = wall
        storedAt = monotonic
    }

    private func latest(at monotonic: Duration) -> Timestamp { counted(at: monotonic).advanced(by: Self.tolerance) }
}

/// What is durable of the clock, as two facts of the catalog.
struct ClockRecord: Sendable, Equatable {
    static let highestFact = "highest_time"
    static let countedFact = "counted_time"

    /// The time that was counted when the monotonic clock of `run` stood at `monotonic`.
    var counted: Timestamp
    /// The highest time that was ever believed.
    var highest: Timestamp
    /// The run of the machine; nil where it has no name, and then nothing is known of the time until the next start.
    var run: String?
    var monotonic: Duration = .zero

    init(counted: Timestamp, highest: Timestamp, run: String? = nil, monotonic: Duration = .zero) {
        self.counted = counted
        self.highest = highest
        self.run = run
        self.monotonic = monotonic
    }

    /// Nil when nothing was stored. What cannot be read is older than any clock: the operator is asked. A directory of a release that did not
    /// count begins to count at the highest time.
    init?(highestText: String?, countedText: String?) {
        guard highestText != nil || countedText != nil else { return nil }
        let highest = highestText.map { Timestamp(milliseconds: Int64($0) ?? 0) }
        guard let countedText else {
            let time = highest ?? Timestamp(milliseconds: 0)
            self.init(counted: time, highest: time)
            return
        }
        let pieces = countedText.split(separator: " ", omittingEmptySubsequences: false)
        let counted = Timestamp(milliseconds: pieces.first.flatMap { Int64($0) } ?? 0)
        self.init(counted: counted, highest: highest ?? counted)
        if pieces.count == 3, let passed = Int64(pieces[2]), !pieces[1].isEmpty {
            run = String(pieces[1])
            monotonic = .milliseconds(passed)
        }
    }

    var highestText: String { String(highest.milliseconds) }

    /// Milliseconds since 1970; then, if the run has a name, the name and the milliseconds of its monotonic clock. Rounded so that the time
    /// until the next start is never counted too long.
    var countedText: String {
        guard let run, !run.isEmpty, !run.contains(" ") else { return "\(counted.milliseconds)" }
        return "\(counted.milliseconds) \(run) \(Self.millisecondsRoundedUp(monotonic))"
    }

    private static func millisecondsRoundedUp(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
