// SPDX-License-Identifier: Apache-2.0

import Metrics
import Testing

@testable import Observability

struct PrometheusRegistryTests {
    let registry = PrometheusRegistry(
        descriptions: [
            MetricDescription(name: "http.requests", help: "Requests \\ answered,\nby method."),
            MetricDescription(name: "coldvault.part.bytes", help: "Sizes.", buckets: [1, 10.5]),
            MetricDescription(name: "job.duration", help: "Job times.", buckets: [0.5, 1]),
        ], process: nil)

    @Test func theTextIsTheDocumentedFormat() {
        Counter(label: "http.requests", dimensions: [("method", "GET"), ("code", "200")], factory: registry).increment(
            by: 3)
        Counter(label: "http.requests", dimensions: [("method", "PUT"), ("code", "204")], factory: registry).increment()
        Meter(label: "queue-depth", dimensions: [], factory: registry).set(2.5)
        let recorder = Recorder(
            label: "coldvault.part.bytes", dimensions: [("k", "v")], aggregate: true, factory: registry)
        for value in [1.0, 10.5, 11] { recorder.record(value) }
        let timer = Timer(label: "job.duration", dimensions: [], factory: registry)
        timer.recordNanoseconds(500_000_000)
        timer.recordNanoseconds(750_000_000)
        let expected = #"""
            # HELP coldvault_part_bytes Sizes.
            # TYPE coldvault_part_bytes histogram
            coldvault_part_bytes_bucket{k="v",le="1"} 1
            coldvault_part_bytes_bucket{k="v",le="10.5"} 2
            coldvault_part_bytes_bucket{k="v",le="+Inf"} 3
            coldvault_part_bytes_sum{k="v"} 22.5
            coldvault_part_bytes_count{k="v"} 3
            # HELP http_requests_total Requests \\ answered,\nby method.
            # TYPE http_requests_total counter
            http_requests_total{code="200",method="GET"} 3
            http_requests_total{code="204",method="PUT"} 1
            # HELP job_duration_seconds Job times.
            # TYPE job_duration_seconds histogram
            job_duration_seconds_bucket{le="0.5"} 1
            job_duration_seconds_bucket{le="1"} 2
            job_duration_seconds_bucket{le="+Inf"} 2
            job_duration_seconds_sum 1.25
            job_duration_seconds_count 2
            # HELP queue_depth queue_depth
            # TYPE queue_depth gauge
            queue_depth 2.5
            # HELP coldvault_metrics_rejected_total Refused metrics: too many series, or one name of two kinds.
            # TYPE coldvault_metrics_rejected_total counter
            coldvault_metrics_rejected_total 0

            """#
        #expect(registry.exposition() == expected)
    }

    @Test func labelValuesAndNamesAreEscaped() {
        Counter(
            label: "9lives", dimensions: [("bad-name", "a\"b\\c\nd"), ("__x", "1"), ("le", "2")], factory: registry
        ).increment()
        #expect(
            registry.exposition().contains(#"_9lives_total{bad_name="a\"b\\c\nd",label__x="1",le_="2"} 1"#))
    }

    @Test func oneNameAndLabelSetIsOneSeriesWhateverTheOrder() {
        Counter(label: "c", dimensions: [("a", "1"), ("b", "2")], factory: registry).increment()
        Counter(label: "c", dimensions: [("b", "2"), ("a", "1")], factory: registry).increment()
        #expect(registry.exposition().contains("c_total{a=\"1\",b=\"2\"} 2\n"))
    }

    @Test func concurrentIncrementsAreAllCounted() async {
        let registry = registry
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for round in 0..<1000 {
                        Counter(label: "n", dimensions: [("t", "\(task % 2)")], factory: registry).increment(by: 2)
                        Timer(label: "t", dimensions: [], factory: registry).recordNanoseconds(1_000_000)
                        if round % 250 == 0 { _ = registry.exposition() }
                    }
                }
            }
        }
        let text = registry.exposition()
        #expect(text.contains("n_total{t=\"0\"} 8000\n"))
        #expect(text.contains("n_total{t=\"1\"} 8000\n"))
        #expect(text.contains("t_seconds_count 8000\n"))
    }

    @Test func seriesBeyondTheLimitRecordNothingAndAreCounted() {
        let registry = PrometheusRegistry(seriesLimit: 2, process: nil)
        for user in 0..<5 {
            Counter(label: "hits", dimensions: [("user", "\(user)")], factory: registry).increment()
        }
        FloatingPointCounter(label: "more", dimensions: [], factory: registry).increment(by: 1.5)
        let text = registry.exposition()
        #expect(text.contains("hits_total{user=\"0\"} 1\n"))
        #expect(text.contains("hits_total{user=\"1\"} 1\n"))
        #expect(!text.contains("user=\"2\""))
        #expect(!text.contains("more"))
        #expect(text.contains("coldvault_metrics_rejected_total 4\n"))
        // The ones that exist still count.
        Counter(label: "hits", dimensions: [("user", "1")], factory: registry).increment()
        #expect(registry.exposition().contains("hits_total{user=\"1\"} 2\n"))
    }

    @Test func aSecondKindUnderOneNameIsRefusedAndCounted() {
        Meter(label: "x", dimensions: [], factory: registry).set(7)
        let histogram = Recorder(label: "x", dimensions: [("a", "b")], aggregate: true, factory: registry)
        histogram.record(1)
        let text = registry.exposition()
        #expect(text.contains("# TYPE x gauge\nx 7\n"))
        #expect(!text.contains("x_bucket"))
        #expect(text.contains("coldvault_metrics_rejected_total 1\n"))
    }

    @Test func countersAreExactBeyondTheDoublesAndIgnoreNegativeAmounts() {
        let counter = Counter(label: "big", dimensions: [], factory: registry)
        counter.increment(by: Int64(1) << 60)
        counter.increment()
        counter.increment(by: -5)
        #expect(registry.exposition().contains("big_total \((Int64(1) << 60) + 1)\n"))
        let fractional = FloatingPointCounter(label: "cpu_seconds", dimensions: [], factory: registry)
        fractional.increment(by: 0.25)
        fractional.increment(by: 0.5)
        #expect(registry.exposition().contains("cpu_seconds_total 0.75\n"))
    }

    @Test func metersGoUpAndDownAndGaugesKeepTheLastValue() {
        let meter = Meter(label: "active", dimensions: [], factory: registry)
        meter.increment()
        meter.increment()
        meter.decrement()
        let gauge = Gauge(label: "last", dimensions: [], factory: registry)
        gauge.record(4)
        gauge.record(-2.5)
        let text = registry.exposition()
        #expect(text.contains("active 1\n"))
        #expect(text.contains("# TYPE last gauge\nlast -2.5\n"))
    }

    @Test func aDestroyedSeriesIsGoneAndItsPlaceIsFree() {
        let registry = PrometheusRegistry(seriesLimit: 1, process: nil)
        let counter = registry.makeCounter(label: "one", dimensions: [])
        counter.increment(by: 1)
        registry.destroyCounter(counter)
        registry.destroyCounter(counter)
        #expect(!registry.exposition().contains("one_total"))
        Counter(label: "two", dimensions: [], factory: registry).increment()
        #expect(registry.exposition().contains("two_total 1\n"))
    }

    @Test(arguments: [
        (0.0, "0"), (-3, "-3"), (1e15, "1000000000000000"), (0.1, "0.1"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
        (.nan, "NaN"), (1e300, "1e+300"),
    ])
    func sampleValuesReadBack(value: Double, text: String) {
        #expect(SampleText.number(value) == text)
    }
}
