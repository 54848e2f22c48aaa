// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Messaging
import StorageLaws
import VaultModel

/// A topic's target that now and then fails, and remembers which messages it took for which job. On the simulator's thread alone.
final class SimulatedTransport: MessageTransport, @unchecked Sendable {
    static let topic = TopicARN("arn:aws:sns:us-east-1:123456789012:done")!
    private var choices: SeededGenerator
    /// Per attempt, in thousandths.
    var failures = 0
    /// The messages about each job.
    private(set) var taken: [String: Set<MessageUID>] = [:]

    init(seed: UInt64) { choices = SeededGenerator(seed: seed) }

    func deliver(_ message: TopicMessage, to target: TopicTarget, secret: [UInt8]) async throws(DeliveryFailure) {
        await Task.yield()
        if failures > 0, Int.random(in: 0..<1000, using: &choices) < failures {
            throw DeliveryFailure("simulated failure", isTransient: true)
        }
        let document = try? JSONParser.parse(Array(message.body.utf8))
        taken[document?["JobId"]?.stringValue ?? "?", default: []].insert(message.id)
    }

    func check(_ target: TopicTarget) async throws(DeliveryFailure) {}
}
