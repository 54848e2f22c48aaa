// SPDX-License-Identifier: Apache-2.0

import Messaging
import Synchronization
import VaultModel

/// Targets that do what a test tells them, by topic.
final class FakeTransport: MessageTransport {
    enum Conduct: Sendable {
        case takes
        /// Throws a failure worth another attempt.
        case fails
        case refuses
        /// Never answers; ends only when the delivery is cancelled.
        case hangs
    }

    struct Delivery: Sendable {
        let message: TopicMessage
        let target: TopicTarget
        let secret: [UInt8]
        let wasTaken: Bool
    }

    private struct State {
        var conducts: [TopicARN: Conduct] = [:]
        var deliveries: [Delivery] = []
        var running = 0
        var mostRunning = 0
        var runningTopics: Set<TopicARN> = []
        var overlaps = 0
    }
    private let state = Mutex(State())

    func set(_ topic: TopicARN, _ conduct: Conduct) { state.withLock { $0.conducts[topic] = conduct } }

    /// Attempts in the order of their ends (of a hanging one: of its begin).
    var attempts: [Delivery] { state.withLock { $0.deliveries } }
    var taken: [TopicMessage] { attempts.filter(\.wasTaken).map(\.message) }
    func taken(by topic: TopicARN) -> [TopicMessage] { taken.filter { $0.topic == topic } }
    func attempts(at topic: TopicARN) -> Int { attempts.count { $0.message.topic == topic } }
    var mostRunning: Int { state.withLock { $0.mostRunning } }
    /// Deliveries that began while another to the same topic ran.
    var overlaps: Int { state.withLock { $0.overlaps } }

    func deliver(_ message: TopicMessage, to target: TopicTarget, secret: [UInt8]) async throws(DeliveryFailure) {
        let conduct = state.withLock { state in
            state.running += 1
            state.mostRunning = max(state.mostRunning, state.running)
            if !state.runningTopics.insert(message.topic).inserted { state.overlaps += 1 }
            return state.conducts[message.topic] ?? .takes
        }
        defer {
            state.withLock { state in
                state.running -= 1
                state.runningTopics.remove(message.topic)
            }
        }
        let wasTaken = if case .takes = conduct { true } else { false }
        state.withLock {
            $0.deliveries.append(Delivery(message: message, target: target, secret: secret, wasTaken: wasTaken))
        }
        switch conduct {
        case .takes: return
        case .fails: throw DeliveryFailure("it is down", isTransient: true)
        case .refuses: throw DeliveryFailure("it does not want this", isTransient: false)
        case .hangs:
            let (never, _) = AsyncStream<Void>.makeStream()
            for await _ in never {}
            throw DeliveryFailure("interrupted", isTransient: true)
        }
    }

    func check(_ target: TopicTarget) async throws(DeliveryFailure) {
        if case .directory("/absent") = target { throw DeliveryFailure("it is not there", isTransient: false) }
    }
}
