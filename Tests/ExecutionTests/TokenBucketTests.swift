// SPDX-License-Identifier: Apache-2.0

import Execution
import Testing

@Suite struct TokenBucketTests {
    @Test func overAnySpanTheRateIsKept() {
        var bucket = TokenBucket(perSecond: 1000)
        var now: Duration = .seconds(5)
        let start = now
        for units in [1, 999, 2500, 40, 7] as [UInt64] { now += bucket.take(units, at: now) }
        #expect(now - start >= .milliseconds(3546) && now - start <= .milliseconds(3548))
    }

    @Test func idleTimeIsNotSavedUpForABurst() {
        var bucket = TokenBucket(perSecond: 100)
        #expect(bucket.take(100, at: .zero) == .seconds(1))
        #expect(bucket.take(100, at: .seconds(1000)) == .seconds(1))
    }

    @Test func withoutARateThereIsNoPause() {
        var bucket = TokenBucket(perSecond: nil)
        #expect(bucket.take(.max, at: .zero) == .zero)
        var zero = TokenBucket(perSecond: 0)
        #expect(zero.take(1 << 60, at: .zero) == .zero)
    }

    @Test func theLargestAmountsDoNotTrap() {
        var bucket = TokenBucket(perSecond: 1)
        #expect(bucket.take(1 << 40, at: .zero) == .seconds(1 << 40))
    }
}
