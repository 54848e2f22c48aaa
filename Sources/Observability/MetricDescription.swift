// SPDX-License-Identifier: Apache-2.0

/// What `/metrics` says about one metric: its help text and, for a histogram, its buckets.
public struct MetricDescription: Sendable, Equatable {
    /// The label given to swift-metrics (`coldvault.job.duration`) or the exposed name; both find the metric.
    public let name: String
    /// One sentence for `# HELP`.
    public let help: String
    /// Upper bounds of a histogram's buckets in ascending order, in the exposed unit (seconds for timers); nil for the
    /// defaults.
    public let buckets: [Double]?

    /// - Parameter buckets: finite, ascending, at most 64; `+Inf` is added by the registry.
    public init(name: String, help: String, buckets: [Double]? = nil) {
        if let buckets {
            precondition(buckets.count <= 64 && buckets.allSatisfy(\.isFinite), "at most 64 finite buckets")
            precondition(zip(buckets, buckets.dropFirst()).allSatisfy { $0 < $1 }, "buckets ascend")
        }
        self.name = name
        self.help = help
        self.buckets = buckets
    }
}
