// SPDX-License-Identifier: Apache-2.0

import Logging
import Synchronization

/// What the rehearsing engine would have written into its log as errors: evidence, and no lines on anybody's standard error.
final class DrillLog: Sendable {
    private static let maxKept = 50
    private let kept = Mutex<[String]>([])

    var errors: [String] { kept.withLock { $0 } }

    var logger: Logger { Logger(label: "coldvault.drill") { _ in Handler(log: self) } }

    private func add(_ line: String) { kept.withLock { if $0.count < Self.maxKept { $0.append(line) } } }

    private struct Handler: LogHandler {
        let log: DrillLog
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .error

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let facts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            log.add("\(event.message)\(facts)")
        }
    }
}
