// SPDX-License-Identifier: Apache-2.0

import Testing
import VaultModel

@testable import VaultEngine

/// The documented table of states and events, every pair of it.
@Suite struct LockLifeCycleTests {
    typealias Life = LockLifeCycle

    private static let start = Timestamp(milliseconds: 1_700_000_000_000)
    private static let day: Duration = .seconds(24 * 3600)
    private static let inProgress = VaultLock(id: "right", policy: "old", state: .inProgress, created: start)
    private static let locked = VaultLock(id: "right", policy: "old", state: .locked, created: start)

    struct Row: Sendable, CustomStringConvertible {
        let stored: VaultLock?
        let event: LockLifeCycle.Event
        let action: LockLifeCycle.Action
        let after: VaultLock?
        var description: String { "\(stored?.state.rawValue ?? "none") + \(event)" }
    }

    private static let soon = start.advanced(by: .seconds(60))
    private static let fresh = VaultLock(id: "fresh", policy: "new", state: .inProgress, created: soon)
    private static let initiate = LockLifeCycle.Event.initiate(fresh)

    static let table: [Row] = [
        Row(stored: nil, event: initiate, action: .done, after: fresh),
        Row(stored: nil, event: .complete(id: "right"), action: .refuse(.noLock), after: nil),
        Row(stored: nil, event: .complete(id: ""), action: .refuse(.noLock), after: nil),
        Row(stored: nil, event: .abort, action: .done, after: nil),
        Row(stored: inProgress, event: initiate, action: .refuse(.lockExists), after: inProgress),
        Row(stored: inProgress, event: .complete(id: "right"), action: .done, after: locked),
        Row(stored: inProgress, event: .complete(id: "wrong"), action: .refuse(.wrongID), after: inProgress),
        Row(stored: inProgress, event: .complete(id: ""), action: .refuse(.wrongID), after: inProgress),
        Row(stored: inProgress, event: .abort, action: .done, after: nil),
        Row(stored: locked, event: initiate, action: .refuse(.lockExists), after: locked),
        Row(stored: locked, event: .complete(id: "right"), action: .done, after: locked),
        Row(stored: locked, event: .complete(id: "wrong"), action: .refuse(.locked), after: locked),
        Row(stored: locked, event: .abort, action: .refuse(.locked), after: locked),
    ]

    @Test(arguments: table) func eachEventDoesWhatTheTableSays(row: Row) {
        var life = Life(stored: row.stored, at: Self.soon)
        #expect(life.event(row.event) == row.action)
        #expect(life.lock == row.after)
    }

    @Test func aLockInProgressCountsUntilItsDayIsOver() {
        let end = Self.start.advanced(by: Self.day)
        let last = Timestamp(milliseconds: end.milliseconds - 1)
        #expect(Life(stored: Self.inProgress, at: last).lock == Self.inProgress)
        #expect(Life(stored: Self.inProgress, at: end).lock == nil)

        var late = Life(stored: Self.inProgress, at: end)
        #expect(late.event(.complete(id: "right")) == .refuse(.noLock))
        #expect(late.event(Self.initiate) == .done)
        #expect(late.lock == Self.fresh)
    }

    @Test func aCompletedLockNeverFallsAway() {
        for years in [1, 100, 10_000] {
            let later = Self.start.advanced(by: Self.day * 366 * years)
            #expect(Life(stored: Self.locked, at: later).lock == Self.locked)
        }
    }

    /// Random sequences: whatever happens, once locked means always locked, with the same policy and id.
    @Test(arguments: [UInt64(11), 12, 13]) func nothingLeadsOutOfLocked(seed: UInt64) {
        var choices = SeededChoices(seed: seed)
        for _ in 0..<200 {
            var life = Life(stored: Self.locked, at: Self.start)
            var now = Self.start
            for _ in 0..<20 {
                now = now.advanced(by: .seconds(Int64(choices.number(100_000))))
                let events: [Life.Event] = [Self.initiate, .complete(id: "right"), .complete(id: "wrong"), .abort]
                _ = life.event(events[choices.number(events.count)])
                life = Life(stored: life.lock, at: now)
                #expect(life.lock == Self.locked, "seed \(seed)")
            }
        }
    }
}

/// Small repeatable numbers.
struct SeededChoices {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func number(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(bound))
    }
}
