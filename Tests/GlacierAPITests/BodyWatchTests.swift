// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import GlacierAPI

struct BodyWatchTests {
    private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(seconds) }

    private func watch() -> BodyWatch {
        var limits = ConnectionLimits()
        limits.bodyStallTimeout = .seconds(30)
        limits.rateGrace = .seconds(20)
        limits.minimumBodyRate = 100
        return BodyWatch(limits: limits)
    }

    @Test func silenceWhileTheServiceWaitsIsAStall() {
        var watch = watch()
        watch.beginsWaiting(at: at(0))
        #expect(watch.verdict(at: at(19)) == .fine)
        #expect(watch.verdict(at: at(30)) == .stalled)
    }

    @Test func timeTheServiceDoesNotWaitDoesNotCount() {
        var watch = watch()
        watch.beginsWaiting(at: at(0))
        watch.received(10_000, at: at(1))
        watch.endsWaiting(at: at(1))
        #expect(watch.verdict(at: at(10_000)) == .fine)
        watch.beginsWaiting(at: at(10_000))
        #expect(watch.verdict(at: at(10_029)) == .fine)
        #expect(watch.verdict(at: at(10_030)) == .stalled)
    }

    @Test func aTrickleIsTooSlowAfterTheGraceOnly() {
        var watch = watch()
        watch.beginsWaiting(at: at(0))
        for second in 1...19 {
            watch.received(1, at: at(Int64(second)))
            #expect(watch.verdict(at: at(Int64(second))) == .fine)
        }
        #expect(watch.verdict(at: at(20)) == .tooSlow)
        watch.received(2000, at: at(20))
        #expect(watch.verdict(at: at(20)) == .fine)
    }

    @Test func aRateOfZeroAsksForNothingButProgress() {
        var limits = ConnectionLimits()
        limits.minimumBodyRate = 0
        var watch = BodyWatch(limits: limits)
        watch.beginsWaiting(at: at(0))
        watch.received(1, at: at(29))
        #expect(watch.verdict(at: at(58)) == .fine)
        #expect(watch.verdict(at: at(59)) == .stalled)
    }
}
