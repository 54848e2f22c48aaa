// SPDX-License-Identifier: Apache-2.0

import Testing
import VaultModel

@testable import VaultEngine

/// The pure guard of the wall clock.
@Suite struct AccessClockTests {
    private static let start = Timestamp(milliseconds: 1_700_000_000_000)
    private static func at(_ duration: Duration) -> Timestamp { start.advanced(by: duration) }
    private static func record(_ time: Timestamp) -> ClockRecord { ClockRecord(counted: time, highest: time) }

    @Test func theVeryFirstStartTrustsTheClock() {
        let guarding = ClockGuard(stored: nil, wall: Self.start, monotonic: .seconds(5))
        #expect(!guarding.isAhead(wall: Self.start, monotonic: .seconds(5)))
        #expect(guarding.counted(at: .seconds(5)) == Self.start)
    }

    @Test func timeIsBelievedAsFastAsTheMonotonicClockRuns() {
        let guarding = ClockGuard(stored: Self.record(Self.start), wall: Self.start, monotonic: .zero)
        let year: Duration = .seconds(365 * 86_400)
        #expect(!guarding.isAhead(wall: Self.at(year), monotonic: year))
        #expect(!guarding.isAhead(wall: Self.at(year + .seconds(3600)), monotonic: year))
        #expect(guarding.isAhead(wall: Self.at(year + .seconds(3600) + .milliseconds(1)), monotonic: year))
    }

    @Test func aJumpIsCutToWhatIsBelieved() {
        let guarding = ClockGuard(stored: Self.record(Self.start), wall: Self.start, monotonic: .zero)
        let jumped = Self.at(.seconds(400 * 86_400))
        #expect(guarding.believed(wall: jumped, monotonic: .seconds(10)) == Self.at(.seconds(3610)))
    }

    @Test func aClockSetBackIsLiftedToTheTimeThatHasPassed() {
        let guarding = ClockGuard(stored: Self.record(Self.start), wall: Self.start, monotonic: .zero)
        #expect(guarding.believed(wall: Self.at(.seconds(-50)), monotonic: .seconds(10)) == Self.at(.seconds(10)))
        #expect(guarding.believed(wall: Self.at(.seconds(-86_400)), monotonic: .zero) == Self.start)
        #expect(guarding.believed(wall: Self.at(.seconds(11)), monotonic: .seconds(10)) == Self.at(.seconds(11)))
    }

    @Test func anHourOffLooksLikeAJumpUntilConfirmed() {
        let wall = Self.at(.seconds(2 * 3600))
        var guarding = ClockGuard(stored: Self.record(Self.start), wall: wall, monotonic: .seconds(7))
        #expect(guarding.isAhead(wall: wall, monotonic: .seconds(7)))
        guarding.confirm(wall: wall, monotonic: .seconds(8))
        #expect(!guarding.isAhead(wall: wall, monotonic: .seconds(8)))
        #expect(guarding.highest == wall)
        #expect(guarding.isAhead(wall: Self.at(.seconds(4 * 3600)), monotonic: .seconds(8)))
    }

    /// Small steps that are each within the tolerance do not add up within a run.
    @Test func creepingIsNoticed() {
        var guarding = ClockGuard(stored: Self.record(Self.start), wall: Self.start, monotonic: .zero)
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

    private static func restarted(
        _ stored: ClockRecord, wall: Timestamp, monotonic: Duration, run: String?
    ) throws -> ClockGuard {
        // As the catalog has it.
        let read = try #require(ClockRecord(highestText: stored.highestText, countedText: stored.countedText))
        return ClockGuard(stored: read, wall: wall, monotonic: monotonic, run: run)
    }

    /// A wall clock that is set forward by an hour less a second, then the service is restarted, again and again.
    @Test(arguments: [nil, "the same run"] as [String?])
    func restartsDoNotAddUpToMoreThanTheTolerance(run: String?) throws {
        var stored = Self.record(Self.start)
        var (wall, monotonic, believed) = (Self.start, Duration.zero, Self.start)
        for _ in 1...100 {
            wall = wall.advanced(by: .seconds(3599))
            var guarding = try Self.restarted(stored, wall: wall, monotonic: monotonic, run: run)
            believed = max(believed, guarding.believed(wall: wall, monotonic: monotonic))
            monotonic += .seconds(61)
            if let next = guarding.toStore(wall: wall, monotonic: monotonic, run: run, always: true) { stored = next }
            believed = max(believed, guarding.believed(wall: wall, monotonic: monotonic))
        }
        #expect(believed <= Self.at(.seconds(3600 + 6100)), "an hour, and what was counted")
        #expect(stored.highest <= Self.at(.seconds(3600 + 6100)))
        #expect(stored.counted == Self.at(.seconds(6100)), "a wall clock that leads is no time that passes")
    }

    @Test func theTimeBetweenTwoRunsCountsAsLongAsTheMachineRuns() throws {
        var guarding = ClockGuard(stored: Self.record(Self.start), wall: Self.start, monotonic: .seconds(9), run: "a")
        let made = guarding.toStore(wall: Self.at(.seconds(100)), monotonic: .seconds(109), run: "a", always: true)
        let stored = try #require(made)
        let later: Duration = .seconds(109 + 40 * 86_400)
        let wall = Self.at(.seconds(100 + 40 * 86_400))
        let same = try Self.restarted(stored, wall: wall, monotonic: later, run: "a")
        #expect(same.counted(at: later) == wall && !same.isAhead(wall: wall, monotonic: later))
        for other in ["b", nil] {
            let fresh = try Self.restarted(stored, wall: wall, monotonic: later, run: other)
            #expect(fresh.counted(at: later) == Self.at(.seconds(100)), "the reading of another run says nothing")
            #expect(fresh.isAhead(wall: wall, monotonic: later))
        }
        let back = try Self.restarted(stored, wall: wall, monotonic: .seconds(50), run: "a")
        #expect(back.counted(at: .seconds(50)) == Self.at(.seconds(100)), "a machine that was put back in time")
    }

    /// What the wall clock led by, while it was believed, is not taken back at the next start; neither does it count.
    @Test func whatWasBelievedStaysBelieved() throws {
        var guarding = ClockGuard(stored: Self.record(Self.start), wall: Self.start, monotonic: .zero)
        let made = guarding.toStore(wall: Self.at(.seconds(3000)), monotonic: .seconds(60))
        let stored = try #require(made)
        let next = try Self.restarted(stored, wall: Self.start, monotonic: .zero, run: nil)
        #expect(next.believed(wall: Self.start, monotonic: .zero) == Self.at(.seconds(3000)))
        #expect(next.stamp(wall: Self.start, monotonic: .zero) == Self.at(.seconds(3000)))
        #expect(next.counted(at: .zero) == Self.at(.seconds(60)))
        #expect(next.isAhead(wall: Self.at(.seconds(3661)), monotonic: .zero))
    }

    @Test func storedTimesAreReadAsTheyWereWrittenAndDoubtfulOnesAsOld() throws {
        let record = ClockRecord(
            counted: Self.start, highest: Self.at(.seconds(7)), run: "0a-f", monotonic: .nanoseconds(1_000_001))
        let read = try #require(ClockRecord(highestText: record.highestText, countedText: record.countedText))
        #expect(read.counted == record.counted && read.highest == record.highest && read.run == "0a-f")
        #expect(read.monotonic == .milliseconds(2), "rounded so that less time seems to have passed")
        #expect(ClockRecord(highestText: nil, countedText: nil) == nil)
        let older = try #require(ClockRecord(highestText: record.highestText, countedText: nil))
        #expect(older.counted == record.highest && older.run == nil)
        for text in ["", "soon", "soon a 5", " 5"] {
            #expect(ClockRecord(highestText: "5", countedText: text)?.counted.milliseconds == 0, "\(text)")
        }
        #expect(ClockRecord(highestText: "9000", countedText: "5000 a soon")?.run == nil)
    }

    @Test func theHighestTimeIsStoredOnceAMinuteAndNeverADoubtfulOne() {
        var guarding = ClockGuard(stored: Self.record(Self.start), wall: Self.start, monotonic: .zero)
        #expect(guarding.toStore(wall: Self.start, monotonic: .zero) == nil)
        #expect(guarding.toStore(wall: Self.at(.seconds(12)), monotonic: .seconds(10))?.highest == Self.at(.seconds(12)))
        #expect(guarding.toStore(wall: Self.at(.seconds(32)), monotonic: .seconds(30)) == nil)
        #expect(
            guarding.toStore(wall: Self.at(.seconds(32)), monotonic: .seconds(30), always: true)?.highest
                == Self.at(.seconds(32)))
        #expect(guarding.toStore(wall: Self.at(.seconds(95)), monotonic: .seconds(90))?.highest == Self.at(.seconds(95)))
        #expect(
            guarding.toStore(wall: Self.at(.seconds(2)), monotonic: .seconds(200))?.highest == Self.at(.seconds(200)),
            "it went back, time did not")
        #expect(
            guarding.toStore(wall: Self.at(.seconds(90_000)), monotonic: .seconds(300), always: true)?.highest
                == Self.at(.seconds(300)),
            "it jumped, time did not")
        #expect(guarding.highest == Self.at(.seconds(300)))
    }

    @Test func whatIsMadeNowIsNeverDatedBack() {
        let guarding = ClockGuard(stored: Self.record(Self.start), wall: Self.start, monotonic: .zero)
        #expect(guarding.stamp(wall: Self.at(.seconds(-86_400)), monotonic: .seconds(60)) == Self.at(.seconds(60)))
        #expect(guarding.stamp(wall: Self.at(.seconds(61)), monotonic: .seconds(60)) == Self.at(.seconds(61)))
        #expect(guarding.stamp(wall: Self.at(.seconds(90_000)), monotonic: .seconds(60)) == Self.at(.seconds(90_000)))
    }

    @Test func aMonotonicClockThatGoesBackGivesNothingAway() {
        let guarding = ClockGuard(stored: Self.record(Self.start), wall: Self.start, monotonic: .seconds(100))
        #expect(guarding.counted(at: .seconds(50)) == Self.start)
    }
}
