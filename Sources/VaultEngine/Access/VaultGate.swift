// SPDX-License-Identifier: Apache-2.0

import Execution
import Synchronization
import VaultModel

/// Orders, within this process, the changes of a vault's settings and the deletions that are judged by them: what a deletion was allowed
/// under is still in force when it is committed.
typealias VaultGate = KeyedGate<VaultLocation>

/// Orders, within this process, the changes of an account: whoever asks for one gets his turn, however many others ask.
typealias AccountGate = KeyedGate<AccountID>

/// One gate for each key, made when somebody comes.
///
/// Invariants:
///  1. While anybody holds a key exclusively, nobody else holds it.
///  2. First come, first served: who wants to share does not overtake who waits to have it alone.
///  3. At most ``maxWaiters`` wait in all; one more is refused at once with ``ExecutionError/tooManyWaiters``.
///  4. A waiter whose task is cancelled leaves with `CancellationError` and holds nothing; nothing is kept of keys that nobody holds.
/// Never enter a key's gate while holding it already.
final class KeyedGate<Key: Hashable & Sendable>: Sendable {
    let maxWaiters: Int
    private let state = Mutex(State())

    init(maxWaiters: Int) { self.maxWaiters = maxWaiters }

    /// Keys that somebody holds now.
    var heldCount: Int { state.withLock { $0.entries.count } }
    /// Callers that wait now.
    var waiterCount: Int { state.withLock { $0.waiterCount } }

    /// Runs `body` beside others that share the key.
    func shared<R>(_ key: Key, _ body: () async throws -> R) async throws -> R {
        try await enter(key, alone: false)
        defer { leave(key) }
        return try await body()
    }

    /// Runs `body` while nobody else holds the key.
    func exclusive<R>(_ key: Key, _ body: () async throws -> R) async throws -> R {
        try await enter(key, alone: true)
        defer { leave(key) }
        return try await body()
    }

    private func enter(_ key: Key, alone: Bool) async throws {
        try Task.checkCancellation()
        let ticket = state.withLock { $0.nextTicket() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let outcome: Result<Void, any Error>? = state.withLock { state in
                    // The cancellation handler may have run before the waiter is in the queue; it would not be called again.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    var entry = state.entries[key] ?? Entry()
                    if entry.waiters.isEmpty && entry.admits(alone: alone) {
                        entry.admit(alone: alone)
                        state.entries[key] = entry
                        return .success(())
                    }
                    if state.waiterCount >= maxWaiters { return .failure(ExecutionError.tooManyWaiters) }
                    entry.waiters.append(Waiter(ticket: ticket, alone: alone, continuation: continuation))
                    state.entries[key] = entry
                    state.waiterCount += 1
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let (left, served) = state.withLock { state -> (Waiter?, [Waiter]) in
                guard let index = state.entries[key]?.waiters.firstIndex(where: { $0.ticket == ticket }) else {
                    return (nil, [])
                }
                let left = state.entries[key]?.waiters.remove(at: index)
                state.waiterCount -= 1
                return (left, state.serve(key))
            }
            left?.continuation.resume(throwing: CancellationError())
            for waiter in served { waiter.continuation.resume() }
        }
    }

    private func leave(_ key: Key) {
        let served = state.withLock { state in
            state.entries[key]?.release()
            return state.serve(key)
        }
        for waiter in served { waiter.continuation.resume() }
    }

    private struct Waiter {
        let ticket: UInt64
        let alone: Bool
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct Entry {
        private(set) var holders = 0
        private(set) var isAlone = false
        var waiters: [Waiter] = []

        func admits(alone: Bool) -> Bool { holders == 0 || (!alone && !isAlone) }

        mutating func admit(alone: Bool) {
            holders += 1
            isAlone = alone
        }

        mutating func release() {
            precondition(holders > 0, "who leaves a gate has entered it")
            holders -= 1
            if holders == 0 { isAlone = false }
        }
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        var waiterCount = 0
        private var tickets: UInt64 = 0

        mutating func nextTicket() -> UInt64 {
            tickets += 1
            return tickets
        }

        /// Lets in from the head of the queue all whose turn it is; forgets the key when nobody is left.
        mutating func serve(_ key: Key) -> [Waiter] {
            guard var entry = entries[key] else { return [] }
            var served = 0
            while served < entry.waiters.count, entry.admits(alone: entry.waiters[served].alone) {
                entry.admit(alone: entry.waiters[served].alone)
                served += 1
            }
            let going = Array(entry.waiters.prefix(served))
            entry.waiters.removeFirst(served)
            waiterCount -= served
            entries[key] = entry.holders == 0 ? nil : entry
            return going
        }
    }
}
