// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import Logging
import Messaging
import Metrics
import Storage
import VaultModel

/// The loop that carries messages from the outbox to their topics.
///
/// Invariants:
///  1. A message leaves the outbox only after its target has taken it (or an operator dropped it, or too many dead
///     letters are newer); so a process that dies delivers it again, under the same id.
///  2. What is delivered when is for ``DeliveryQueue`` and ``DeliverySchedule`` to say; here is only the doing.
///  3. A topic serves the vaults of its own account only: nobody sends to another account's target by naming its topic.
///  4. No job waits for any of this.
struct MessageDeliverer: Sendable {
    /// Rows of a page, and those of one topic among them.
    static let pageRows = 256
    static let rowsPerTopic = 4
    /// The longest the loop sleeps without looking.
    private static let heartbeat: Duration = .seconds(5)

    let engine: VaultEngine
    let transport: any MessageTransport
    private let letters: DeadLetters
    private let delivered = Counter(label: "coldvault.messages.delivered")
    private let failures = Counter(label: "coldvault.message.delivery.failures")

    init?(engine: VaultEngine) {
        guard let transport = engine.transport else { return nil }
        self.engine = engine
        self.transport = transport
        letters = DeadLetters(catalog: engine.catalog, logger: engine.logger)
    }

    /// Runs until cancelled; deliveries that run then are broken off and count as no attempt.
    func run() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                var pause = Self.heartbeat
                do {
                    while try await look(in: &group), !Task.isCancelled {}
                    pause = min(pause, try await nextLook())
                } catch {
                    engine.logger.error("the outbox cannot be read", metadata: ["error": "\(error)"])
                }
                await engine.deliveries.wake.wait(upTo: pause, clock: engine.clock)
            }
            group.cancelAll()
        }
    }

    /// True when the catalog has changed by it, so that a second look may find more.
    private func look(in group: inout DiscardingTaskGroup) async throws -> Bool {
        engine.deliveries.withQueue { $0.beginLook() }
        let now = engine.clock.now()
        let page = try await engine.catalog.dueMessages(at: now, perTopic: Self.rowsPerTopic, limit: Self.pageRows)
        let steps = engine.deliveries.withQueue { $0.steps(for: page, isFull: page.count >= Self.pageRows, at: now) }
        var changed = false
        // First the deliveries: none of them may be lost to an error below.
        for case .deliver(let row) in steps { group.addTask { await deliver(row) } }
        for step in steps {
            switch step {
            case .deliver: break
            case .giveUp(let row, let reason):
                try await letters.bury(DeliverySchedule.givenUp(row, reason: reason, at: now))
                changed = true
            case .postpone(var row, let until):
                row.notBefore = until
                try await engine.catalog.updateMessage(row, audit: .none)
                changed = true
            }
        }
        return changed
    }

    private func nextLook() async throws -> Duration {
        let now = engine.clock.now()
        let times = [
            try await engine.catalog.nextMessage(after: now), engine.deliveries.withQueue { $0.nextProbe(after: now) },
        ]
        return times.compactMap { $0?.since(now) }.min().map { max($0, .milliseconds(1)) } ?? Self.heartbeat
    }

    // MARK: One delivery

    private enum Attempt: Sendable {
        case taken
        case failed(DeliveryFailure)
        /// It can never be delivered.
        case hopeless(reason: String)
        /// The catalog did not answer: no attempt was made.
        case notMade(reason: String)
        case interrupted
    }

    private func deliver(_ row: OutboxRow) async {
        let attempt = await attempt(row)
        // Whoever took the message must not get it again because we stop now.
        let outcome = await withCompletionGuaranteed { [self] in await settle(row, attempt) }
        engine.deliveries.withQueue { $0.ended(row.topic, outcome, at: engine.clock.now()) }
        engine.deliveries.wake.signal()
    }

    private func attempt(_ row: OutboxRow) async -> Attempt {
        let found: TopicRow?
        do throws(StorageError) {
            found = try await engine.catalog.topic(row.topic)
        } catch {
            return .notMade(reason: "the topic cannot be looked up: \(error)")
        }
        guard let found, found.account == row.account else {
            return .hopeless(reason: "account \(row.account) has no such topic")
        }
        let topic: TopicColumn
        let message: MessageColumn
        do throws(VaultError) {
            topic = try engine.open(found)
            message = try engine.keyring.openUnderMaster(row.sealed, as: MessageColumn.self, uid: row.id.bytes)
        } catch {
            engine.logger.error(
                "a message or its topic cannot be read", metadata: metadata(row).merging(["error": "\(error)"]) { $1 })
            return .hopeless(reason: "the message or its topic does not verify; see the log")
        }
        do throws(DeliveryFailure) {
            try await transport.deliver(
                TopicMessage(
                    id: row.id, topic: row.topic, subject: message.subject, body: message.body, created: row.created),
                to: topic.target, secret: topic.secret)
            return .taken
        } catch {
            return Task.isCancelled ? .interrupted : .failed(error)
        }
    }

    /// Writes down what an attempt came to.
    private func settle(_ row: OutboxRow, _ attempt: Attempt) async -> DeliveryQueue.Outcome {
        do throws(StorageError) {
            switch attempt {
            case .interrupted:
                return .unknown
            case .taken:
                delivered.increment()
                try await engine.catalog.removeMessage(row.id, audit: .none)
                engine.logger.info("message delivered", metadata: metadata(row))
                return .taken
            case .hopeless(let reason):
                try await letters.bury(DeliverySchedule.givenUp(row, reason: reason, at: engine.clock.now()))
                return .unknown
            case .notMade(let reason):
                engine.logger.warning(
                    "a message must wait", metadata: metadata(row).merging(["reason": "\(reason)"]) { $1 })
                return failed(row.topic, reason)
            case .failed(let failure):
                failures.increment()
                let next = DeliverySchedule.afterFailure(
                    row, reason: failure.reason, isTransient: failure.isTransient, at: engine.clock.now(),
                    jitter: jitter())
                if next.state == .dead {
                    try await letters.bury(next)
                } else {
                    try await engine.catalog.updateMessage(next, audit: .none)
                    engine.logger.log(
                        level: next.attempts == 1 ? .warning : .info, "a message was not taken and is tried again",
                        metadata: metadata(next).merging(["reason": "\(failure.reason)"]) { $1 })
                }
                return failure.isTransient ? failed(row.topic, failure.reason) : .refused
            }
        } catch {
            // The message goes out again; the pause keeps that from becoming a flood.
            engine.logger.error(
                "the outcome of a delivery could not be recorded; the message is delivered again",
                metadata: metadata(row).merging(["error": "\(error)"]) { $1 })
            return failed(row.topic, "the outcome of a delivery could not be recorded")
        }
    }

    private func failed(_ topic: TopicARN, _ reason: String) -> DeliveryQueue.Outcome {
        let failures = engine.deliveries.withQueue { $0.failures(of: topic) }
        return .failed(reason: reason, pause: DeliverySchedule.pause(after: failures + 1, jitter: jitter()))
    }

    private func jitter() -> UInt8 { engine.random.bytes(1).first ?? 0 }

    private func metadata(_ row: OutboxRow) -> Logger.Metadata {
        ["message": "\(row.id)", "topic": "\(row.topic)", "attempts": "\(row.attempts)"]
    }
}
