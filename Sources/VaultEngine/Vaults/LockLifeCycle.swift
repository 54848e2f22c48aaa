// SPDX-License-Identifier: Apache-2.0

import Cryptography
import VaultModel

/// What may happen to a vault's lock: the documented table, as a pure state machine.
///
///                   none             in progress            locked
///     initiate      in progress      refused                refused
///     complete(id)  not found        locked / wrong id      done before / refused
///     abort         nothing to do    none                   refused
///
/// A lock in progress falls away after 24 hours, before anything else is looked at.
struct LockLifeCycle: Equatable {
    enum Event: Equatable {
        case initiate(VaultLock)
        case complete(id: String)
        case abort
    }

    enum Action: Equatable {
        /// Success; what ``lock`` is now must be stored if it differs from what was stored.
        case done
        case refuse(Refusal)
    }

    enum Refusal: Equatable {
        case lockExists
        case noLock
        case wrongID
        case locked
    }

    /// The lock in force; nil when there is none.
    private(set) var lock: VaultLock?

    /// - Parameter stored: the lock as it was stored; it may have fallen away since.
    init(stored: VaultLock?, at now: Timestamp) {
        lock = stored.flatMap { $0.isExpired(at: now) ? nil : $0 }
    }

    mutating func event(_ event: Event) -> Action {
        switch (lock?.state, event) {
        case (nil, .initiate(let fresh)):
            precondition(fresh.state == .inProgress, "a lock begins in progress")
            lock = fresh
            return .done
        case (.inProgress, .initiate), (.locked, .initiate): return .refuse(.lockExists)
        case (nil, .complete): return .refuse(.noLock)
        case (.inProgress, .complete(let id)):
            guard isOurs(id) else { return .refuse(.wrongID) }
            lock?.state = .locked
            return .done
        case (.locked, .complete(let id)): return isOurs(id) ? .done : .refuse(.locked)
        case (nil, .abort): return .done
        case (.inProgress, .abort):
            lock = nil
            return .done
        case (.locked, .abort): return .refuse(.locked)
        }
    }

    private func isOurs(_ id: String) -> Bool {
        constantTimeEqual(Array(id.utf8), Array((lock?.id ?? "").utf8))
    }
}
