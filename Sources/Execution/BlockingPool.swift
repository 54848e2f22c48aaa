// SPDX-License-Identifier: Apache-2.0

import NIOPosix
import Synchronization

/// A fixed number of threads for work that blocks: system calls, SQLite, hashing and sealing of a whole frame.
///
/// Work that has begun, or is queued, always runs to its end: cancelling the awaiting task changes nothing, so a
/// started fsync or commit has exactly one known outcome. The queue itself has no limit; its length is bounded by what
/// callers hold of ``MemoryBudget``.
public final class BlockingPool: Sendable {
    /// What the pool is for, as logs and metrics call it.
    public let name: String
    /// Zero when the pool has none of its own (``init(name:submit:)``).
    public let threads: Int
    /// Runs a piece of work once, elsewhere or later.
    public typealias Submit = @Sendable (_ work: @escaping @Sendable () -> Void) -> Void
    private let backing: Backing
    private let activity = Mutex(Activity())

    private enum Backing {
        case threads(NIOThreadPool)
        case submit(Submit)
    }

    private struct Activity {
        /// Work handed in and not yet finished.
        var unfinished = 0
        var isShutDown = false
        var drained: [CheckedContinuation<Void, Never>] = []
    }

    /// Starts the threads; they live until ``shutdown()``.
    public init(name: String, threads: Int) {
        precondition((1...256).contains(threads), "a blocking pool has 1 to 256 threads")
        self.name = name
        self.threads = threads
        let pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
        backing = .threads(pool)
    }

    /// A pool without threads: `submit` runs each piece of work exactly once, when and where it likes. For whoever must decide the order of
    /// everything that happens, such as a simulation.
    public init(name: String, submit: @escaping Submit) {
        self.name = name
        threads = 0
        backing = .submit(submit)
    }

    /// Work handed in and not yet finished, the running work included.
    public var unfinishedCount: Int { activity.withLock { $0.unfinished } }

    /// Runs `work` on a thread of the pool and suspends until it has finished. Throws what `work` throws and nothing
    /// else.
    ///
    /// Work handed in after ``shutdown()`` runs on the thread of the caller: correct, though it blocks, in the last
    /// moments of a process.
    public func run<T: Sendable, E: Error>(_ work: @Sendable @escaping () throws(E) -> T) async throws(E) -> T {
        let result: Result<T, E> = await withCheckedContinuation { continuation in
            activity.withLock { $0.unfinished += 1 }
            // The state says "cancelled" only once the pool is stopped; the work is then run here, where it was
            // submitted.
            submit {
                let result: Result<T, E>
                do throws(E) {
                    result = .success(try work())
                } catch {
                    result = .failure(error)
                }
                self.finishOne()
                continuation.resume(returning: result)
            }
        }
        return try result.get()
    }

    /// Waits for everything handed in so far, then ends the threads. Idempotent.
    public func shutdown() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let idle = activity.withLock { activity in
                if activity.unfinished == 0 { return true }
                activity.drained.append(continuation)
                return false
            }
            if idle { continuation.resume() }
        }
        guard
            activity.withLock({ activity in
                defer { activity.isShutDown = true }
                return !activity.isShutDown
            })
        else { return }
        // The one error it can report is "already shut down", which leaves nothing to do.
        if case .threads(let pool) = backing { try? await pool.shutdownGracefully() }
    }

    private func submit(_ work: @escaping @Sendable () -> Void) {
        switch backing {
        case .threads(let pool): pool.submit { _ in work() }
        case .submit(let submit): submit(work)
        }
    }

    private func finishOne() {
        let drained = activity.withLock { activity -> [CheckedContinuation<Void, Never>] in
            activity.unfinished -= 1
            guard activity.unfinished == 0 else { return [] }
            defer { activity.drained = [] }
            return activity.drained
        }
        for continuation in drained { continuation.resume() }
    }

    deinit {
        // Threads keep the NIO pool, not us: a pool that nobody shut down must still end them.
        if case .threads(let pool) = backing, !activity.withLock({ $0.isShutDown }) { pool.shutdownGracefully { _ in } }
    }
}
