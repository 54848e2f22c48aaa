// SPDX-License-Identifier: Apache-2.0

import StorageLaws
import Synchronization
import Testing
import VaultModel

@testable import VaultEngine

/// A clock that passes when somebody sleeps.
final class SleepingClock: TimeSource {
    private let passed = Mutex(Duration.zero)
    let start = Timestamp(milliseconds: 1_700_000_000_000)

    func now() -> Timestamp { start.advanced(by: monotonic()) }
    func monotonic() -> Duration { passed.withLock { $0 } }
    func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        passed.withLock { $0 += duration }
    }
}

@Suite struct ScrubPaceTests {
    @Test func bytesInASecondAreKept() async throws {
        try await withVault { vault in
            _ = try await vault.multipart(content(5 << 20, seed: 7))
            let clock = SleepingClock()
            let engine = vault.engine(cold: vault.cold, clock: clock)
            try await Scrubber(
                engine: engine, limits: ScrubConfiguration(bytesPerSecond: 1 << 20, cpuPercent: 100)
            ).pass()
            let bytes = engine.scrubDesk.current.tally.bytes
            #expect(bytes > 1 << 19)
            // Whatever compression made of them, what was read took its time.
            let least = Duration.milliseconds(Int64(bytes) * 1000 >> 20) - .milliseconds(50)
            #expect(clock.monotonic() >= least, "\(bytes) bytes in \(clock.monotonic())")
        }
    }

    @Test func theShareOfTheProcessorIsKept() async throws {
        let clock = SleepingClock()
        let pace = ScrubPace(ScrubConfiguration(bytesPerSecond: nil, cpuPercent: 10), clock: clock)
        for _ in 0..<20 {
            // A slice computes for 3 ms.
            try await clock.sleep(for: .milliseconds(3))
            try await pace.rest(bytes: 1 << 20, computed: .milliseconds(3))
        }
        #expect(clock.monotonic() >= .milliseconds(599) && clock.monotonic() <= .milliseconds(601))
    }

    @Test func theStricterLimitCounts() async throws {
        let clock = SleepingClock()
        let pace = ScrubPace(ScrubConfiguration(bytesPerSecond: 1 << 20, cpuPercent: 50), clock: clock)
        for _ in 0..<5 { try await pace.rest(bytes: 1 << 20, computed: .milliseconds(1)) }
        #expect(clock.monotonic() >= .seconds(5))
    }

    @Test func itGivesWayWhileOthersWaitButNotForEver() async throws {
        let clock = SleepingClock()
        let pace = ScrubPace(ScrubConfiguration(), clock: clock, isBusy: { true })
        try await pace.rest(bytes: 0, computed: .zero)
        #expect(clock.monotonic() == .milliseconds(200))
    }

    @Test func pausingHoldsASliceAndCancellingEndsIt() async throws {
        let clock = SleepingClock()
        let counter = Looks()
        let pace = ScrubPace(.unlimited, clock: clock, isPaused: { counter.next() < 3 })
        try await pace.rest(bytes: 1, computed: .zero)
        #expect(clock.monotonic() == .seconds(3))
        await #expect(throws: CancellationError.self) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.cancelAll()
                group.addTask { try await pace.rest(bytes: 1, computed: .zero) }
                try await group.waitForAll()
            }
        }
    }

    private final class Looks: Sendable {
        private let count = Mutex(0)
        func next() -> Int {
            count.withLock { count in
                defer { count += 1 }
                return count
            }
        }
    }
}
