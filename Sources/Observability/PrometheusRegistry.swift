// SPDX-License-Identifier: Apache-2.0

public import Metrics
import Synchronization

/// Keeps the process's metrics and writes them in the Prometheus text format 0.0.4, the body of `/metrics`.
///
/// 1. Names: every character outside `[a-zA-Z0-9_:]` becomes `_`; counters end in `_total`, timers in `_seconds` (both
///    added when missing).
/// 2. Counters are counters; meters and non-aggregating recorders are gauges; timers and aggregating recorders are
///    histograms with fixed buckets.
/// 3. One name has one kind. Asking for another kind gives a handler that records nothing.
/// 4. At most `seriesLimit` series exist. Beyond it new ones record nothing. Both refusals are counted in
///    `coldvault_metrics_rejected_total`: above zero, some label is not from a closed set.
/// 5. The same name and labels give the same series, whoever asks.
///
/// All methods may be called from any thread; none does I/O, except ``exposition()`` which reads a few files of
/// `/proc`.
public final class PrometheusRegistry: MetricsFactory {
    private let state = Mutex(State())
    private let descriptions: [String: MetricDescription]
    private let seriesLimit: Int
    private let process: ProcessStatistics?
    private let rejected = CounterSeries(identity: SeriesIdentity(name: "coldvault_metrics_rejected_total", labels: ""))

    private struct State {
        var families: [String: Family] = [:]
        var seriesCount = 0
    }

    private struct Family {
        let kind: MetricKind
        var series: [String: any MetricSeries] = [:]
    }

    /// - Parameters:
    ///   - descriptions: help texts and buckets; a metric without one is exposed with its name as help and default
    ///     buckets.
    ///   - seriesLimit: how many series may exist.
    ///   - process: the process's own figures, read at every exposition; nil to leave them out.
    public init(
        descriptions: [MetricDescription] = [], seriesLimit: Int = 2000,
        process: ProcessStatistics? = ProcessStatistics()
    ) {
        precondition(seriesLimit > 0, "a registry needs room for one series")
        self.descriptions = Dictionary(
            descriptions.map { (MetricName.exposed($0.name), $0) }, uniquingKeysWith: { _, later in later })
        self.seriesLimit = seriesLimit
        self.process = process
    }

    /// Everything as text: `# HELP`, `# TYPE` and the samples, sorted by name. Each series is read consistently; the
    /// whole is not
    /// one instant. Content type `text/plain; version=0.0.4; charset=utf-8`.
    public func exposition() -> String {
        let families = state.withLock { $0.families }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            writeHead(name: name, kind: family.kind, to: &text)
            for series in family.series.sorted(by: { $0.key < $1.key }) {
                series.value.write(to: &text)
            }
        }
        text +=
            "# HELP coldvault_metrics_rejected_total Refused metrics: too many series, or one name of two kinds.\n"
        text += "# TYPE coldvault_metrics_rejected_total counter\n"
        rejected.write(to: &text)
        process?.write(to: &text)
        return text
    }

    // MARK: MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counter(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        counter(label, dimensions) ?? DiscardedCounter.instance
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        guard aggregate else { return gauge(label, dimensions) ?? NOOPMetricsHandler.instance }
        let name = MetricName.exposed(label)
        return histogram(name, label, dimensions, HistogramSeries.recorderBuckets) ?? NOOPMetricsHandler.instance
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let name = MetricName.exposed(label, suffix: "_seconds")
        return histogram(name, label, dimensions, HistogramSeries.timerBuckets) ?? NOOPMetricsHandler.instance
    }

    public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    // MARK: series

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> CounterSeries? {
        series(MetricName.exposed(label, suffix: "_total"), dimensions) { CounterSeries(identity: $0) }
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeSeries? {
        series(MetricName.exposed(label), dimensions) { GaugeSeries(identity: $0) }
    }

    private func histogram(
        _ name: String, _ label: String, _ dimensions: [(String, String)], _ defaultBounds: [Double]
    ) -> HistogramSeries? {
        let bounds = description(of: name)?.buckets ?? defaultBounds
        return series(name, dimensions) { HistogramSeries(identity: $0, bounds: bounds) }
    }

    /// The series with this name and these labels, made on first sight; nil when rule 3 or 4 refuses it.
    private func series<Series: MetricSeries>(
        _ name: String, _ dimensions: [(String, String)], make: (SeriesIdentity) -> Series
    ) -> Series? {
        let labels = MetricName.labels(dimensions)
        let found: Series? = state.withLock { state in
            let family = state.families[name]
            if let existing = family?.series[labels] { return existing as? Series }
            guard family.map({ $0.kind == Series.kind }) ?? true, state.seriesCount < seriesLimit else { return nil }
            let created = make(SeriesIdentity(name: name, labels: labels))
            state.families[name, default: Family(kind: Series.kind)].series[labels] = created
            state.seriesCount += 1
            return created
        }
        if found == nil { rejected.increment(by: Int64(1)) }
        return found
    }

    private func remove(_ handler: AnyObject) {
        guard let series = handler as? any MetricSeries else { return }
        let identity = series.identity
        state.withLock { state in
            guard state.families[identity.name]?.series[identity.labels] === series else { return }
            state.families[identity.name]?.series[identity.labels] = nil
            state.seriesCount -= 1
            if state.families[identity.name]?.series.isEmpty == true { state.families[identity.name] = nil }
        }
    }

    // MARK: text

    private func writeHead(name: String, kind: MetricKind, to text: inout String) {
        text += "# HELP \(name) \(MetricName.escapedHelp(description(of: name)?.help ?? name))\n"
        text += "# TYPE \(name) \(kind.rawValue)\n"
    }

    /// A description is found by the exposed name, with or without the suffix that the registry added.
    private func description(of name: String) -> MetricDescription? {
        if let exact = descriptions[name] { return exact }
        for suffix in ["_total", "_seconds"] where name.hasSuffix(suffix) {
            if let found = descriptions[String(name.dropLast(suffix.count))] { return found }
        }
        return nil
    }
}

/// Stands in for a refused floating-point counter, for which the library has no public stand-in.
private final class DiscardedCounter: FloatingPointCounterHandler {
    static let instance = DiscardedCounter()
    func increment(by: Double) {}
    func reset() {}
}
