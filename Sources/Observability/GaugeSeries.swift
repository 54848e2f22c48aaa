// SPDX-License-Identifier: Apache-2.0

import Metrics
import Synchronization

/// A value that goes up and down: meters, and recorders that keep only the last value.
final class GaugeSeries: MetricSeries, MeterHandler, RecorderHandler {
    static let kind = MetricKind.gauge

    let identity: SeriesIdentity
    private let state = Mutex<Double>(0)

    init(identity: SeriesIdentity) {
        self.identity = identity
    }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { state.withLock { $0 = value } }
    func increment(by amount: Double) { state.withLock { $0 += amount } }
    func decrement(by amount: Double) { state.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }

    func write(to text: inout String) {
        let value = state.withLock { $0 }
        text += "\(identity.name)\(identity.labels) \(SampleText.number(value))\n"
    }
}
