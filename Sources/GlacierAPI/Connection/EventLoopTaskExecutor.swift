// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Runs a connection's tasks on the connection's own event loop.
///
/// A request body arrives on the loop, and most of what is done with each piece of it is to wait for the next one: handing every
/// piece to a thread of the cooperative pool and back would cost two wake-ups each. What works long or blocks leaves the loop for a
/// bounded pool, as it must leave the cooperative pool too.
final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
