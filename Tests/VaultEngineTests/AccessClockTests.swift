// SPDX-License-Identifier: Apache-2.0

import Testing
import VaultModel

@testable import VaultEngine

/// The pure guard of the wall clock.
@Suite struct AccessClockTests {
    private static let start = Timestamp(milliseconds: 1_700_000_000_000)
    private static func at(_ duration: Duration) -> Timestamp { start.advanced(by: duration) }

    @Test func theVeryFirstStartTrustsTheClock() {
        let guarding = ClockGuard(stored: nil, wall: Self.start, monotonic: .seconds(5))
        #expect(!guarding.isAhead(wall: Self.start, monotonic: .seconds(5)))
        #expect(guarding.trusted(at: .seconds(5)) == Self.start)
    }

    @Test func timeIsBelievedAsFastAsTheMonotonicClockRuns() {
        let guarding = ClockGuard(stored: Self.start, wall: Self.start, monotonic: .zero)
        let year: Duration = .seconds(365 * 86_400)
        #expect(!guarding.isAhead(wall: Self.at(year), monotonic: year))
        #expect(!guarding.isAhead(wall: Self.at(year + .seconds(3600)), monotonic: year))
        #expect(guarding.isAhead(wall: Self.at(year + .seconds(3600) + .milliseconds(1)), monotonic: year))
    }

    @Test func aJumpIsCutToWhatIsBelieved() {
        let guarding = ClockGuard(stored: Self.start, wall: Self.start, monotonic: .zero)
        let jumped = Self.at(.seconds(400 * 86_400))
        #expect(guarding.believed(wall: jumped, monotonic: .seconds(10)) == Self.at(.seconds(3610)))
    }

    @Test func aClockSetBackIsLiftedToTheTimeThatHasPassed() {
        let guarding = ClockGuard(stored: Self.start, wall: Self.start, monotonic: .zero)
        #expect(guarding.believed(wall: Self.at(.seconds(-50)), monotonic: .seconds(10)) == Self.at(.seconds(10)))
        #expect(guarding.believed(wall: Self.at(.seconds(-86_400)), monotonic: .zero) == Self.start)
        #expect(guarding.believed(wall: Self.at(.seconds(11)), monotonic: .seconds(10)) == Self.at(.seconds(11)))
    }

    @Test func anHourOffLooksLikeAJumpUntilConfirmed() {
        let wall = Self.at(.seconds(2 * 3600))
        var guarding = ClockGuard(stored: Self.start, wall: wall, monotonic: .seconds(7))
        #expect(guarding.isAhead(wall: wall, monotonic: .seconds(7)))
        guarding.confirm(wall: wall, monotonic: .seconds(8))
        #expect(!guarding.isAhead(wall: wall, monotonic: .seconds(8)))
        #expect(guarding.highest == wall)
        #expect(guarding.isAhead(wall: Self.at(.seconds(4 * 3600)), monotonic: .seconds(8)))
    }

    /// Small steps that are each within the tolerance do not add up within a run.
    @Test func creepingIsNoticed() {
        var guarding = ClockGuard(stored: Self.start, wall: Self.start, monotonic: .zero)
        var wall = Self.start
        var steps = 0
        for minute in 1...100 {
            wall = wall.advanced(by: .seconds(1800))
            let monotonic: Duration = .seconds(60 * minute)
            if guarding.isAhead(wall: wall, monotonic: monotonic) { break }
            _ = guarding.toStore(wall: wall, monotonic: monotonic)
            steps += 1
        }
        #expect(steps <= 3)
        #expect(guarding.highest <= Self.at(.seconds(3600 + 60 * 100)))
    }

    @Test func theHighestTimeIsStoredOnceAMinuteAndNeverADoubtfulOne() {
        var guarding = ClockGuard(stored: Self.start, wall: Self.start, monotonic: .zero)
        #expect(guarding.toStore(wall: Self.start, monotonic: .zero) == nil)
        #expect(guarding.toStore(wall: Self.at(.seconds(12)), monotonic: .seconds(10)) == Self.at(.seconds(12)))
        #expect(guarding.toStore(wall: Self.at(.seconds(32)), monotonic: .seconds(30)) == nil)
        #expect(
            guarding.toStore(wall: Self.at(.seconds(32)), monotonic: .seconds(30), always: true)
                == Self.at(.seconds(32)))
        #expect(guarding.toStore(wall: Self.at(.seconds(95)), monotonic: .seconds(90)) == Self.at(.seconds(95)))
        #expect(
            guarding.toStore(wall: Self.at(.seconds(2)), monotonic: .seconds(200)) == Self.at(.seconds(200)),
            "it went back, time did not")
        #expect(
            guarding.toStore(wall: Self.at(.seconds(90_000)), monotonic: .seconds(300), always: true)
                == Self.at(.seconds(300)),
            "it jumped, time did not")
        #expect(guarding.highest == Self.at(.seconds(300)))
    }

    @Test func whatIsMadeNowIsNeverDatedBack() {
        let guarding = ClockGuard(stored: Self.start, wall: Self.start, monotonic: .zero)
        #expect(guarding.stamp(wall: Self.at(.seconds(-86_400)), monotonic: .seconds(60)) == Self.at(.seconds(60)))
        #expect(guarding.stamp(wall: Self.at(.seconds(61)), monotonic: .seconds(60)) == Self.at(.seconds(61)))
        #expect(guarding.stamp(wall: Self.at(.seconds(90_000)), monotonic: .seconds(60)) == Self.at(.seconds(90_000)))
    }

    @Test func aMonotonicClockThatGoesBackGivesNothingAway() {
        let guarding = ClockGuard(stored: Self.start, wall: Self.start, monotonic: .seconds(100))
        #expect(guarding.trusted(at: .seconds(50)) == Self.start)
    }
}
