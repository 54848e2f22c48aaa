// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Lets concurrent callers of one key share one piece of work: the first does it, the others wait for its result.
///
/// Nothing is remembered once the work is done. A failure is shared too, except cancellation: when the task that does
/// the work is cancelled, the next waiter does it instead, so one impatient caller never fails the others.
public final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// The most callers that wait for one key; one more is refused with ``ExecutionError/tooManyWaiters``.
    public let maxWaiters: Int
    private let flights = Mutex(Flights())

    public init(maxWaiters: Int) { self.maxWaiters = maxWaiters }

    /// The value of `key`, made by `make` in the first caller's task. Waiting ends with `CancellationError` when the
    /// caller is cancelled.
    public func value(for key: Key, _ make: () async throws -> Value) async throws -> Value {
        if case .done(let value) = try await join(key) { return value }
        do {
            let value = try await make()
            for waiter in land(key) { waiter.continuation.resume(returning: .done(value)) }
            return value
        } catch {
            if error is CancellationError || Task.isCancelled {
                passLead(of: key)
            } else {
                for waiter in land(key) { waiter.continuation.resume(throwing: error) }
            }
            throw error
        }
    }

    /// Takes the lead of an idle key, or waits for the one who has it.
    private func join(_ key: Key) async throws -> Turn {
        try Task.checkCancellation()
        let ticket = flights.withLock { $0.nextTicket() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Turn, any Error>) in
                let outcome: Result<Turn, any Error>? = flights.withLock { flights in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    guard let waiters = flights.waiting[key] else {
                        flights.waiting[key] = []
                        return .success(.lead)
                    }
                    if waiters.count >= maxWaiters { return .failure(ExecutionError.tooManyWaiters) }
                    flights.waiting[key]?.append(Waiter(ticket: ticket, continuation: continuation))
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let left = flights.withLock { flights -> Waiter? in
                guard let index = flights.waiting[key]?.firstIndex(where: { $0.ticket == ticket }) else { return nil }
                return flights.waiting[key]?.remove(at: index)
            }
            left?.continuation.resume(throwing: CancellationError())
        }
    }

    private func land(_ key: Key) -> [Waiter] { flights.withLock { $0.waiting.removeValue(forKey: key) ?? [] } }

    private func passLead(of key: Key) {
        let next = flights.withLock { flights -> Waiter? in
            guard let waiters = flights.waiting[key], !waiters.isEmpty else {
                flights.waiting[key] = nil
                return nil
            }
            return flights.waiting[key]?.removeFirst()
        }
        next?.continuation.resume(returning: .lead)
    }

    private enum Turn: Sendable {
        case lead
        case done(Value)
    }

    private struct Waiter {
        let ticket: UInt64
        let continuation: CheckedContinuation<Turn, any Error>
    }

    private struct Flights {
        /// Keys whose work is being done, with those who wait for it in order of arrival.
        var waiting: [Key: [Waiter]] = [:]
        var tickets: UInt64 = 0

        mutating func nextTicket() -> UInt64 {
            tickets += 1
            return tickets
        }
    }
}
