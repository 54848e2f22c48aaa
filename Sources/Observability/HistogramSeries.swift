// SPDX-License-Identifier: Apache-2.0

import Metrics
import Synchronization

/// A distribution in fixed buckets: timers (in seconds) and aggregating recorders (in their own unit).
final class HistogramSeries: MetricSeries, TimerHandler, RecorderHandler {
    static let kind = MetricKind.histogram

    /// From one millisecond to five minutes, in seconds.
    static let timerBuckets: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
    ]
    /// Powers of four from 1 to 4 Gi: counts and sizes in bytes alike.
    static let recorderBuckets: [Double] = (0...16).map { Double(UInt64(1) << (2 * $0)) }

    let identity: SeriesIdentity
    private let bounds: [Double]
    private let state: Mutex<State>

    private struct State {
        /// One count per bound and one more for everything above the last.
        var counts: [UInt64]
        var sum: Double = 0
    }

    init(identity: SeriesIdentity, bounds: [Double]) {
        self.identity = identity
        self.bounds = bounds
        self.state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard !value.isNaN else { return }
        let bucket = firstBound(notBelow: value)
        state.withLock {
            $0.counts[bucket] += 1
            $0.sum += value
        }
    }

    func write(to text: inout String) {
        let state = state.withLock { $0 }
        var cumulative: UInt64 = 0
        for (index, count) in state.counts.enumerated() {
            cumulative += count
            let bound = index < bounds.count ? SampleText.number(bounds[index]) : "+Inf"
            text += "\(identity.name)_bucket\(MetricName.adding(bound: bound, to: identity.labels)) \(cumulative)\n"
        }
        text += "\(identity.name)_sum\(identity.labels) \(SampleText.number(state.sum))\n"
        text += "\(identity.name)_count\(identity.labels) \(cumulative)\n"
    }

    /// Index of the bucket a value belongs to: the first bound that is not below it, by bisection.
    private func firstBound(notBelow value: Double) -> Int {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
