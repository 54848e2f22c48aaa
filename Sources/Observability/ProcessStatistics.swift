// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The process's own figures, read from `/proc/self` at each scrape: memory, open files, CPU time, threads, start time.
///
/// Names are those every Prometheus client library uses (`process_…`), so that ready-made dashboards work. Figures that
/// cannot be read are left out.
public struct ProcessStatistics: Sendable {
    private let readText: @Sendable (String) -> String?
    private let countEntries: @Sendable (String) -> Int?

    /// The kernel counts CPU time and start time in ticks of 1/100 s in this interface, on every architecture.
    private static let ticksPerSecond = 100.0

    /// Reads the real `/proc`.
    public init() {
        self.init(
            // A figure that cannot be read is left out; there is nothing else to do about it.
            readText: { path in
                (try? Data(contentsOf: URL(fileURLWithPath: path))).map { String(decoding: $0, as: UTF8.self) }
            },
            countEntries: { path in (try? FileManager.default.contentsOfDirectory(atPath: path))?.count })
    }

    /// - Parameters:
    ///   - readText: the content of a file, nil when it cannot be read.
    ///   - countEntries: the number of entries of a directory, nil when it cannot be listed.
    init(readText: @escaping @Sendable (String) -> String?, countEntries: @escaping @Sendable (String) -> Int?) {
        self.readText = readText
        self.countEntries = countEntries
    }

    func write(to text: inout String) {
        func sample(_ name: String, _ kind: MetricKind, _ help: String, _ value: Double?) {
            guard let value else { return }
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n\(name) \(SampleText.number(value))\n"
        }
        let memory = memoryFigures()
        let stat = statFields()
        sample("process_resident_memory_bytes", .gauge, "Resident memory.", memory["VmRSS"])
        sample(
            "process_resident_memory_peak_bytes", .gauge, "Largest resident memory since the start.", memory["VmHWM"])
        sample("process_virtual_memory_bytes", .gauge, "Virtual memory.", memory["VmSize"])
        sample("process_open_fds", .gauge, "Open file descriptors.", countEntries("/proc/self/fd").map(Double.init))
        sample("process_max_fds", .gauge, "Limit of open file descriptors.", openFileLimit())
        sample("process_threads", .gauge, "Threads.", stat?.threads)
        sample("process_cpu_seconds_total", .counter, "User and system CPU time.", stat?.cpuSeconds)
        sample(
            "process_start_time_seconds", .gauge, "Start of the process, seconds since the Unix epoch.", startTime(stat)
        )
    }

    /// The lines `Name:   1234 kB` of `/proc/self/status`, in bytes.
    private func memoryFigures() -> [String: Double] {
        var figures: [String: Double] = [:]
        for line in readText("/proc/self/status")?.split(separator: "\n") ?? [] where line.hasSuffix(" kB") {
            let words = line.dropLast(3).split { $0 == ":" || $0 == " " || $0 == "\t" }
            if words.count == 2, let kilobytes = Double(words[1]) { figures[String(words[0])] = kilobytes * 1024 }
        }
        return figures
    }

    /// Fields of `/proc/self/stat` after the command name, which is in parentheses and may itself contain some.
    private func statFields() -> (cpuSeconds: Double, threads: Double, startSeconds: Double)? {
        guard let stat = readText("/proc/self/stat"), let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split { $0 == " " || $0 == "\n" }
        // proc_pid_stat(5) numbers from 1 and the list here starts with field 3: utime 14, stime 15, num_threads 20,
        // starttime 22.
        guard fields.count > 19, let user = Double(fields[11]), let system = Double(fields[12]),
            let threads = Double(fields[17]), let start = Double(fields[19])
        else { return nil }
        return ((user + system) / Self.ticksPerSecond, threads, start / Self.ticksPerSecond)
    }

    private func startTime(_ stat: (cpuSeconds: Double, threads: Double, startSeconds: Double)?) -> Double? {
        guard let stat,
            let boot = readText("/proc/stat")?.split(separator: "\n").first(where: { $0.hasPrefix("btime ") })
        else { return nil }
        return Double(boot.dropFirst(6)).map { $0 + stat.startSeconds }
    }

    private func openFileLimit() -> Double? {
        let line = readText("/proc/self/limits")?.split(separator: "\n").first { $0.hasPrefix("Max open files") }
        return line?.dropFirst("Max open files".count).split(separator: " ").first.flatMap { Double($0) }
    }
}
