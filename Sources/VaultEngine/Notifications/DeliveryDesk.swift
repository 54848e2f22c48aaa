// SPDX-License-Identifier: Apache-2.0

import Synchronization
import VaultModel

/// What the deliverer and the operator's verbs share: the queue's memory of topics, and the bell.
final class DeliveryDesk: Sendable {
    /// Rings when a message was written, a delivery ended, or an operator wants one.
    let wake = WakeUp()
    private let queue = Mutex(DeliveryQueue())

    func withQueue<R: Sendable>(_ body: (inout DeliveryQueue) -> R) -> R { queue.withLock { body(&$0) } }
}
