// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The bytes that requests and jobs may hold in memory at once; backpressure is waiting here.
///
/// Invariants:
///  1. The bytes handed out never exceed ``capacityBytes``.
///  2. First come, first served: a small request never overtakes a large one that waits, so nobody starves.
///  3. At most ``maxWaiters`` wait; one more is refused at once with ``ExecutionError/tooManyWaiters``.
///  4. A waiter whose task is cancelled leaves the queue with `CancellationError` and holds nothing.
/// Take a whole working set once; never take a second one while holding the first (two such callers could wait for each
/// other).
public final class MemoryBudget: Sendable {
    public let capacityBytes: Int
    public let maxWaiters: Int
    private let state: Mutex<State>

    public init(capacityBytes: Int, maxWaiters: Int) {
        precondition(capacityBytes > 0 && maxWaiters >= 0, "a memory budget has bytes to give")
        self.capacityBytes = capacityBytes
        self.maxWaiters = maxWaiters
        state = Mutex(State(freeBytes: capacityBytes))
    }

    /// Bytes that nobody holds now.
    public var freeBytes: Int { state.withLock { $0.freeBytes } }
    /// Callers that wait now.
    public var waiterCount: Int { state.withLock { $0.waiters.count } }

    /// Runs `body` while holding `bytes`, waiting for them first. `bytes` is at most the capacity.
    public func withBytes<R>(_ bytes: Int, _ body: () async throws -> R) async throws -> R {
        try await acquire(bytes)
        defer { give(back: bytes) }
        return try await body()
    }

    /// Waits for `bytes` and holds them until the reservation is released: for work that ends elsewhere than it began,
    /// such as a response body that is produced after its handler has returned.
    public func reserve(_ bytes: Int) async throws -> Reservation {
        try await acquire(bytes)
        return Reservation(budget: self, bytes: bytes)
    }

    private func acquire(_ bytes: Int) async throws {
        precondition((0...capacityBytes).contains(bytes), "a working set larger than the budget can never be had")
        try Task.checkCancellation()
        let ticket = state.withLock { $0.nextTicket() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let outcome: Result<Void, any Error>? = state.withLock { state in
                    // The cancellation handler may have run before the waiter is in the queue; it would not be called
                    // again.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.waiters.isEmpty && state.freeBytes >= bytes {
                        state.freeBytes -= bytes
                        return .success(())
                    }
                    if state.waiters.count >= maxWaiters { return .failure(ExecutionError.tooManyWaiters) }
                    state.waiters.append(Waiter(ticket: ticket, bytes: bytes, continuation: continuation))
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let (left, served) = state.withLock { state -> (Waiter?, [Waiter]) in
                guard let index = state.waiters.firstIndex(where: { $0.ticket == ticket }) else { return (nil, []) }
                let left = state.waiters.remove(at: index)
                return (left, state.serve())
            }
            left?.continuation.resume(throwing: CancellationError())
            for waiter in served { waiter.continuation.resume() }
        }
    }

    fileprivate func give(back bytes: Int) {
        let served = state.withLock { state in
            state.freeBytes += bytes
            return state.serve()
        }
        for waiter in served { waiter.continuation.resume() }
    }

    private struct Waiter {
        let ticket: UInt64
        let bytes: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var freeBytes: Int
        var waiters: [Waiter] = []
        var tickets: UInt64 = 0

        mutating func nextTicket() -> UInt64 {
            tickets += 1
            return tickets
        }

        /// Takes from the head of the queue all whose turn it is and pays them their bytes.
        mutating func serve() -> [Waiter] {
            var served = 0
            while served < waiters.count, waiters[served].bytes <= freeBytes {
                freeBytes -= waiters[served].bytes
                served += 1
            }
            defer { waiters.removeFirst(served) }
            return Array(waiters.prefix(served))
        }
    }

    /// Bytes held of a budget; given back once, by ``release()`` or at the latest when the last reference goes.
    public final class Reservation: Sendable {
        public let bytes: Int
        private let budget: MemoryBudget
        private let released = Atomic(false)

        fileprivate init(budget: MemoryBudget, bytes: Int) {
            self.budget = budget
            self.bytes = bytes
        }

        /// Idempotent.
        public func release() {
            if released.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged {
                budget.give(back: bytes)
            }
        }

        deinit { release() }
    }
}
