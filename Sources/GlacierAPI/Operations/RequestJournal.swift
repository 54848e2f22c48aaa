// SPDX-License-Identifier: Apache-2.0

import Logging
import Metrics
import NIOCore
import NIOHTTP1
import Synchronization
import VaultEngine
import VaultModel

/// What is known about one request when it ends.
struct RequestRecord: Sendable {
    let id: String
    let method: String
    let started: NIODeadline
    /// As claimed; proven only when `principal` is known.
    var accessKeyID: String?
    var principal: Principal?
    var action: VaultAction?
    var failure: (any Error)?
    /// Whether it counts against its account's limits until its answer is out.
    var isAtWork = false

    init(id: String, method: String, started: NIODeadline) {
        self.id = id
        self.method = method
        self.started = started
    }
}

/// One log line and a few metrics for each request. Never a signature, a query, a description or a byte of a body.
///
/// Metrics: `coldvault_requests_total{operation,status}`, `coldvault_request_duration_seconds{operation}`,
/// `coldvault_received_bytes_total{operation}`, `coldvault_sent_bytes_total{operation}`.
final class RequestJournal: Sendable {
    private let logger: Logger
    private let factory: any MetricsFactory
    private let meters = Mutex<[String: Meters]>([:])
    private let counters = Mutex<[String: Counter]>([:])

    private struct Meters {
        let duration: Metrics.Timer
        let received: Counter
        let sent: Counter
    }

    init(logger: Logger, factory: any MetricsFactory) {
        self.logger = logger
        self.factory = factory
    }

    func enter(_ record: RequestRecord, status: HTTPResponseStatus, receivedBytes: UInt64, sent: SentAnswer) {
        let duration = NIODeadline.now() - record.started
        let operation = record.action?.rawValue ?? "Unknown"
        count(operation, status: status, duration: duration, received: receivedBytes, sent: sent.bodyBytes)
        log(record, operation, status: status, duration: duration, received: receivedBytes, sent: sent)
    }

    private func count(
        _ operation: String, status: HTTPResponseStatus, duration: TimeAmount, received: UInt64, sent: UInt64
    ) {
        let meters = meters.withLock { meters in
            if let known = meters[operation] { return known }
            let labels = [("operation", operation)]
            let fresh = Meters(
                duration: Metrics.Timer(
                    label: "coldvault_request_duration_seconds", dimensions: labels, factory: factory),
                received: Counter(label: "coldvault_received_bytes_total", dimensions: labels, factory: factory),
                sent: Counter(label: "coldvault_sent_bytes_total", dimensions: labels, factory: factory))
            meters[operation] = fresh
            return fresh
        }
        meters.duration.recordNanoseconds(duration.nanoseconds)
        meters.received.increment(by: Int64(clamping: received))
        meters.sent.increment(by: Int64(clamping: sent))
        let counter = counters.withLock { counters in
            let key = "\(operation) \(status.code)"
            if let known = counters[key] { return known }
            let labels = [("operation", operation), ("status", String(status.code))]
            let fresh = Counter(label: "coldvault_requests_total", dimensions: labels, factory: factory)
            counters[key] = fresh
            return fresh
        }
        counter.increment()
    }

    private func log(
        _ record: RequestRecord, _ operation: String, status: HTTPResponseStatus, duration: TimeAmount,
        received: UInt64,
        sent: SentAnswer
    ) {
        var metadata: Logger.Metadata = [
            "requestId": "\(record.id)", "method": "\(record.method)", "operation": "\(operation)",
            "status": "\(status.code)",
            "receivedBytes": "\(received)", "sentBytes": "\(sent.bodyBytes)",
            "durationMilliseconds": "\(duration.nanoseconds / 1_000_000)",
        ]
        if let principal = record.principal {
            metadata["account"] = "\(principal.account)"
            metadata["principal"] = "\(principal)"
        }
        // What a request claims is not proven: a client that mixes up id and secret must not find its secret in our log.
        if let key = record.accessKeyID, RefusedRequest.isAccessKeyID(key) { metadata["accessKeyId"] = "\(key)" }
        var level = Logger.Level.info
        if let failure = record.failure {
            let wire = WireError(failure)
            metadata["code"] = "\(wire.code)"
            level = Self.level(of: failure)
            // The operator sees the chain; a client's mistakes are described by their code alone, since texts may quote
            // the request. Why something was denied is the operator's to know, too: who, what, and what decided.
            if level != .info { metadata["error"] = "\(failure)" }
            if let denial = failure as? VaultError, denial.code == .accessDenied {
                metadata["reason"] = "\(denial.cause.map { "\($0)" } ?? denial.message)"
            }
        }
        guard let cut = sent.failure else {
            logger.log(level: level, "A request was answered.", metadata: metadata)
            return
        }
        metadata["error"] = "\(cut)"
        logger.log(level: max(level, Self.level(of: cut)), "An answer was cut short.", metadata: metadata)
    }

    /// `error` only for what an operator must act on.
    private static func level(of error: any Error) -> Logger.Level {
        switch error {
        case let error as VaultError:
            switch error.code {
            case .integrity, .internalFailure: .error
            case .unavailable: .warning
            default: .info
            }
        case is ShortAnswer: .error
        // What remains are the caller's mistakes and the many ways a peer can leave.
        default: .info
        }
    }
}
