// SPDX-License-Identifier: Apache-2.0

import Metrics
import Synchronization

/// A count that only grows (until it is reset), of whole or fractional amounts. Amounts below zero are ignored.
final class CounterSeries: MetricSeries, CounterHandler, FloatingPointCounterHandler {
    static let kind = MetricKind.counter

    let identity: SeriesIdentity
    /// Whole amounts are kept apart, so that counting single bytes stays exact beyond 2^53.
    private let state = Mutex<(whole: Int64, fraction: Double)>((0, 0))

    init(identity: SeriesIdentity) {
        self.identity = identity
    }

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        state.withLock { $0.whole &+= amount }
    }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        state.withLock { $0.fraction += amount }
    }

    func reset() {
        state.withLock { $0 = (0, 0) }
    }

    func write(to text: inout String) {
        let (whole, fraction) = state.withLock { $0 }
        let value = fraction == 0 ? String(whole) : SampleText.number(Double(whole) + fraction)
        text += "\(identity.name)\(identity.labels) \(value)\n"
    }
}
