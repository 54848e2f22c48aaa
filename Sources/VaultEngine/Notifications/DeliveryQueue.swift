// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

/// Which of the due messages are delivered now; pure: pages of the catalog in, steps out.
///
/// Invariants:
///  1. One delivery at a time for a topic, the longest due first; so a topic that takes its messages gets them in
///     order.
///  2. A topic whose target did not take a message is left alone for a pause that doubles with every failure in a row.
///  3. At most ``slots`` deliveries at once, and at most ``probes`` of them to topics that failed last time: dead
///     targets, however many, leave the other half to the living.
///  4. What it remembers of topics is bounded.
struct DeliveryQueue {
    /// What to do with a due message.
    enum Step: Equatable {
        case deliver(OutboxRow)
        /// The topic's target is dead and the message has waited long enough.
        case giveUp(OutboxRow, reason: String)
        /// The topic's pause goes on: the row stands in the way of others.
        case postpone(OutboxRow, until: Timestamp)
    }

    /// What a topic's last delivery came to.
    enum Outcome: Equatable {
        case taken
        /// The target answers, and refused this message: no reason to leave the topic alone.
        case refused
        case failed(reason: String, pause: Duration)
        /// It was interrupted, or there is no such topic: nothing is known of the target.
        case unknown
    }

    static let slots = 8
    static let probes = 4
    static let maxRememberedTopics = 10_000

    private struct Pace {
        var failures: UInt32
        var pausedUntil: Timestamp
        var reason: String
    }

    /// Topics that failed last time.
    private var paces: [TopicARN: Pace] = [:]
    /// Deliveries that run, and whether each is a probe of a topic that failed.
    private var running: [TopicARN: Bool] = [:]
    /// Topics whose delivery ended since ``beginLook()``: what a page read meanwhile says of them may be old.
    private var endedSinceLook: Set<TopicARN> = []

    var runningCount: Int { running.count }

    /// Call before a page is read.
    mutating func beginLook() { endedSinceLook.removeAll(keepingCapacity: true) }

    /// - Parameter isFull: the page holds as many rows as it may, so that others may hide behind them.
    mutating func steps(for page: [OutboxRow], isFull: Bool, at now: Timestamp) -> [Step] {
        var steps: [Step] = []
        for row in page where running[row.topic] == nil && !endedSinceLook.contains(row.topic) {
            guard let pace = paces[row.topic] else {
                if start(row.topic, isProbe: false) { steps.append(.deliver(row)) }
                continue
            }
            if pace.failures >= DeliverySchedule.minAttempts, DeliverySchedule.isExpired(row, at: now) {
                steps.append(
                    .giveUp(row, reason: "given up after three days; last failure of the topic: \(pace.reason)"))
            } else if Self.isPaused(pace, at: now) {
                if isFull { steps.append(.postpone(row, until: pace.pausedUntil)) }
            } else if start(row.topic, isProbe: true) {
                steps.append(.deliver(row))
            }
        }
        return steps
    }

    private mutating func start(_ topic: TopicARN, isProbe: Bool) -> Bool {
        guard running.count < Self.slots, !isProbe || running.values.count(where: { $0 }) < Self.probes else {
            return false
        }
        running[topic] = isProbe
        return true
    }

    /// The delivery to `topic` has ended and is written down.
    mutating func ended(_ topic: TopicARN, _ outcome: Outcome, at now: Timestamp) {
        running[topic] = nil
        endedSinceLook.insert(topic)
        switch outcome {
        case .taken, .refused: paces[topic] = nil
        case .unknown: break
        case .failed(let reason, let pause):
            if paces.count >= Self.maxRememberedTopics, paces[topic] == nil,
                let soonest = paces.min(by: { $0.value.pausedUntil < $1.value.pausedUntil })?.key
            {
                // It only loses its pause.
                paces[soonest] = nil
            }
            paces[topic] = Pace(
                failures: failures(of: topic) + 1, pausedUntil: now.advanced(by: pause), reason: reason)
        }
    }

    /// How often `topic` has failed in a row.
    func failures(of topic: TopicARN) -> UInt32 { paces[topic]?.failures ?? 0 }

    /// Somebody has reason to believe that the target takes messages again.
    mutating func forgive(_ topic: TopicARN) { paces[topic] = nil }

    /// When the first pause ends.
    func nextProbe(after now: Timestamp) -> Timestamp? {
        paces.values.lazy.map(\.pausedUntil).filter { $0 > now }.min()
    }

    /// A wall clock that was set back must not make a pause longer than pauses are.
    private static func isPaused(_ pace: Pace, at now: Timestamp) -> Bool {
        pace.pausedUntil > now && pace.pausedUntil.since(now) <= DeliverySchedule.longestPause
    }
}
