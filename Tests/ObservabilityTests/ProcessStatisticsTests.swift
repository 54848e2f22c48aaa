// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Observability

struct ProcessStatisticsTests {
    @Test func figuresAreReadFromProcAsDocumented() {
        let files = [
            "/proc/self/status":
                "Name:\tcold (x) y\nVmSize:\t   2048 kB\nVmHWM:\t     300 kB\nVmRSS:\t     256 kB\nThreads:\t9\n",
            "/proc/self/stat":
                "77 (cold (x) y) S 1 77 77 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 9 0 12345 100 64 18446744073709551615 0\n",
            "/proc/stat": "cpu  1 2 3\nbtime 1700000000\nprocesses 5\n",
            "/proc/self/limits":
                "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n",
        ]
        let statistics = ProcessStatistics(readText: { files[$0] }, countEntries: { $0 == "/proc/self/fd" ? 12 : nil })
        var text = ""
        statistics.write(to: &text)
        for sample in [
            "process_resident_memory_bytes 262144", "process_resident_memory_peak_bytes 307200",
            "process_virtual_memory_bytes 2097152", "process_open_fds 12", "process_max_fds 1024", "process_threads 9",
            "process_cpu_seconds_total 2", "process_start_time_seconds 1700000123.45",
        ] {
            #expect(text.contains("\n\(sample)\n"), "\(sample)")
        }
    }

    @Test func figuresThatCannotBeReadAreLeftOut() {
        var text = ""
        ProcessStatistics(readText: { _ in nil }, countEntries: { _ in nil }).write(to: &text)
        #expect(text.isEmpty)
        ProcessStatistics(readText: { _ in "garbage )" }, countEntries: { _ in nil }).write(to: &text)
        #expect(text.isEmpty)
    }

    #if os(Linux)
        @Test func theRealProcessHasMemoryFilesAndAStartTime() {
            let text = PrometheusRegistry().exposition()
            for name in [
                "process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total",
                "process_start_time_seconds",
            ] {
                #expect(text.contains("\n\(name) "), "\(name)")
            }
        }
    #endif
}
