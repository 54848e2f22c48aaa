// SPDX-License-Identifier: Apache-2.0

/// The kinds of metric the registry exposes.
enum MetricKind: String {
    case counter, gauge, histogram
}

/// Where a series stands in the registry: its exposed name and its label set as text.
struct SeriesIdentity: Hashable {
    let name: String
    let labels: String
}

/// One line (or, for a histogram, one block of lines) of the exposition: a metric with one label set.
protocol MetricSeries: AnyObject, Sendable {
    static var kind: MetricKind { get }
    var identity: SeriesIdentity { get }
    /// A consistent reading of the series as text lines, each ended by a newline.
    func write(to text: inout String)
}

enum SampleText {
    /// A sample value: whole numbers without an exponent as long as they are exact, otherwise the shortest text that
    /// reads back.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int64(exactly: value).flatMap { $0.magnitude < 1 << 53 ? String($0) : nil } ?? value.description
    }
}
