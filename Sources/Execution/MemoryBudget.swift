// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The bytes that requests and jobs may hold in memory at once; backpressure is waiting here.
///
/// Invariants:
///  1. The bytes handed out never exceed ``capacityBytes``.
///  2. Within an owner, first come, first served: a small request never overtakes a large one that waits.
///  3. Between owners, whoever holds least is served first (``FairBytes``), and an owner that holds nothing is never
///     overtaken. So one account that asks without end takes nobody else's turn, and nobody starves.
///  4. At most ``maxWaiters`` wait; one more is refused at once with ``ExecutionError/tooManyWaiters``.
///  5. A waiter whose task is cancelled leaves the queue with `CancellationError` and holds nothing.
/// Take a whole working set once; never take a second one while holding the first (two such callers could wait for each
/// other).
public final class MemoryBudget: Sendable {
    /// On whose behalf bytes are held; any number that tells accounts apart.
    public typealias Owner = UInt64

    public let capacityBytes: Int
    public let maxWaiters: Int
    private let state: Mutex<State>

    public init(capacityBytes: Int, maxWaiters: Int) {
        precondition(capacityBytes > 0 && maxWaiters >= 0, "a memory budget has bytes to give")
        self.capacityBytes = capacityBytes
        self.maxWaiters = maxWaiters
        state = Mutex(State(fair: FairBytes(capacityBytes: capacityBytes)))
    }

    /// Bytes that nobody holds now.
    public var freeBytes: Int { state.withLock { $0.fair.freeBytes } }
    /// Callers that wait now.
    public var waiterCount: Int { state.withLock { $0.fair.waiterCount } }

    /// Runs `body` while holding `bytes`, waiting for them first. `bytes` is at most the capacity.
    public func withBytes<R>(_ bytes: Int, for owner: Owner? = nil, _ body: () async throws -> R) async throws -> R {
        let reservation = try await reserve(bytes, for: owner)
        defer { reservation.release() }
        return try await body()
    }

    /// Waits for `bytes` and holds them until the reservation is released: for work that ends elsewhere than it began,
    /// such as a response body that is produced after its handler has returned.
    /// - Parameter owner: whose share it counts against; nil: nobody's in particular, served like one owner without a
    ///   share.
    public func reserve(_ bytes: Int, for owner: Owner? = nil) async throws -> Reservation {
        try await acquire(bytes, for: owner)
        return Reservation(budget: self, bytes: bytes, owner: owner)
    }

    /// `bytes` if they can be had without waiting, and without overtaking anybody who waits; nil otherwise.
    public func reserveNow(_ bytes: Int, for owner: Owner? = nil) -> Reservation? {
        checkSize(bytes)
        guard state.withLock({ $0.fair.takeNow(bytes, for: owner) }) else { return nil }
        return Reservation(budget: self, bytes: bytes, owner: owner)
    }

    private func checkSize(_ bytes: Int) {
        precondition((0...capacityBytes).contains(bytes), "a working set larger than the budget can never be had")
    }

    private func acquire(_ bytes: Int, for owner: Owner?) async throws {
        checkSize(bytes)
        try Task.checkCancellation()
        let ticket = state.withLock { $0.fair.nextTicket() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let outcome: Result<Void, any Error>? = state.withLock { state in
                    // The cancellation handler may have run before the waiter is in the queue; it would not be called
                    // again.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.fair.takeNow(bytes, for: owner) { return .success(()) }
                    if state.fair.waiterCount >= maxWaiters { return .failure(ExecutionError.tooManyWaiters) }
                    state.fair.wait(ticket, for: bytes, of: owner)
                    state.continuations[ticket] = continuation
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let (left, served) = state.withLock { state in
                guard state.fair.leave(ticket, of: owner) else {
                    return (CheckedContinuation<Void, any Error>?.none, [CheckedContinuation<Void, any Error>]())
                }
                return (state.continuations.removeValue(forKey: ticket), state.serve())
            }
            left?.resume(throwing: CancellationError())
            for continuation in served { continuation.resume() }
        }
    }

    fileprivate func give(back bytes: Int, of owner: Owner?) {
        let served = state.withLock { state in
            state.fair.give(back: bytes, of: owner)
            return state.serve()
        }
        for continuation in served { continuation.resume() }
    }

    private struct State {
        var fair: FairBytes
        var continuations: [UInt64: CheckedContinuation<Void, any Error>] = [:]

        init(fair: FairBytes) { self.fair = fair }

        /// Whoever's turn it is, paid already.
        mutating func serve() -> [CheckedContinuation<Void, any Error>] {
            fair.serve().compactMap { continuations.removeValue(forKey: $0) }
        }
    }

    /// Bytes held of a budget; given back once, by ``release()`` or at the latest when the last reference goes.
    public final class Reservation: Sendable {
        public let bytes: Int
        private let owner: Owner?
        private let budget: MemoryBudget
        private let released = Atomic(false)

        fileprivate init(budget: MemoryBudget, bytes: Int, owner: Owner?) {
            self.budget = budget
            self.bytes = bytes
            self.owner = owner
        }

        /// Idempotent.
        public func release() {
            if released.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged {
                budget.give(back: bytes, of: owner)
            }
        }

        deinit { release() }
    }
}
