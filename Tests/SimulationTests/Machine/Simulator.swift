// SPDX-License-Identifier: Apache-2.0

import Foundation
import StorageLaws
import Synchronization

/// One thread on which everything happens, in an order that a seed decides, under a clock that only moves when nothing else can.
///
/// It is the task executor of all tasks inside ``run(maxSteps:_:)``, and the place where blocking work of pools and of the catalog runs. Each
/// step is one piece of ready work, chosen at random: a task up to its next suspension, or a piece of blocking work. So every interleaving
/// that a real machine could produce between suspensions can happen, and the same seed makes the same one again.
///
/// `@unchecked Sendable`: used on the thread of ``run(maxSteps:_:)`` only; work that comes from another is counted in ``strangers``, because
/// it would make the order depend on the machine.
final class Simulator: TaskExecutor, @unchecked Sendable {
    private enum Work {
        case task(UnownedJob)
        case piece(@Sendable () -> Void)
    }

    private struct Sleeper {
        let due: Duration
        let ticket: UInt64
        let continuation: CheckedContinuation<Void, any Error>
    }

    enum Failure: Error, Equatable {
        /// Nobody can go on and nobody sleeps.
        case deadlock
        /// So many steps, and no end.
        case endless
    }

    private var ready: [Work] = []
    private var sleepers: [Sleeper] = []
    private var tickets: UInt64 = 0
    private var choices: SeededGenerator
    private var thread: pthread_t?
    /// Virtual time since the beginning.
    private(set) var now: Duration = .zero
    private(set) var steps = 0
    /// Work that came from another thread.
    private(set) var strangers = 0
    /// Runs between steps: the place to cut the power.
    var betweenSteps: (() -> Void)?

    init(seed: UInt64) { choices = SeededGenerator(seed: seed) }

    func enqueue(_ job: consuming ExecutorJob) { append(.task(UnownedJob(job))) }

    /// Runs `work` once, in some later step.
    func submit(_ work: @escaping @Sendable () -> Void) { append(.piece(work)) }

    private func append(_ work: Work) {
        if pthread_self() != thread { strangers += 1 }
        ready.append(work)
    }

    // MARK: time

    func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        tickets += 1
        let ticket = tickets
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                if Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
                sleepers.append(Sleeper(due: now + max(.zero, duration), ticket: ticket, continuation: continuation))
            }
        } onCancel: {
            guard let index = sleepers.firstIndex(where: { $0.ticket == ticket }) else { return }
            sleepers.remove(at: index).continuation.resume(throwing: CancellationError())
        }
    }

    /// Time passes while nothing runs, such as a machine that is switched off.
    func pass(_ duration: Duration) { now += duration }

    private func wakeDue() {
        let due = sleepers.filter { $0.due <= now }.sorted { ($0.due, $0.ticket) < ($1.due, $1.ticket) }
        guard !due.isEmpty else { return }
        sleepers.removeAll { $0.due <= now }
        for sleeper in due { sleeper.continuation.resume() }
    }

    // MARK: running

    /// Runs `body` and everything it starts to the end. Call it on a thread of its own, which it keeps busy.
    func run(maxSteps: Int, _ body: @escaping @Sendable () async -> Void) throws(Failure) {
        thread = pthread_self()
        let end = End()
        Task(executorPreference: self) {
            await body()
            end.isReached = true
        }
        let limit = steps + maxSteps
        while !end.isReached {
            guard steps < limit else { throw .endless }
            betweenSteps?()
            wakeDue()
            if ready.isEmpty {
                guard let next = sleepers.map(\.due).min() else { throw .deadlock }
                now = next
                continue
            }
            steps += 1
            // A step takes time, so that two moments are rarely one.
            now += .microseconds(Int64.random(in: 1...150, using: &choices))
            switch ready.remove(at: Int.random(in: 0..<ready.count, using: &choices)) {
            case .task(let job): job.runSynchronously(on: asUnownedTaskExecutor())
            case .piece(let work): work()
            }
        }
    }

    private final class End: @unchecked Sendable { var isReached = false }
}

/// Runs `body` on a thread of its own and waits for it without blocking the thread of the caller.
func onOwnThread<R: Sendable>(_ body: @escaping @Sendable () -> R) async -> R {
    await withCheckedContinuation { continuation in
        let thread = Thread { continuation.resume(returning: body()) }
        thread.stackSize = 8 << 20
        thread.start()
    }
}
