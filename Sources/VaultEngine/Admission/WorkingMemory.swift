// SPDX-License-Identifier: Apache-2.0

import Execution
import VaultModel

/// The one way in which requests and jobs come by their working memory.
extension VaultEngine {
    /// The working set of a request, counted against the account it works for. Waits its turn, but no longer than
    /// `memoryWait`: by then the client would have given up.
    /// - Throws: `.unavailable` when there was no room in time, or too many wait already.
    func requestMemory(_ bytes: Int, for account: AccountID) async throws -> MemoryBudget.Reservation {
        let owner = Self.memoryOwner(account)
        if let memory = budget.reserveNow(bytes, for: owner) { return memory }
        let memory = try await withThrowingTaskGroup(of: MemoryBudget.Reservation?.self) { group in
            group.addTask { [budget] in try await budget.reserve(bytes, for: owner) }
            group.addTask { [clock, configuration] in
                try await clock.sleep(for: configuration.memoryWait)
                return nil
            }
            defer { group.cancelAll() }
            // The loser is cancelled; memory that it may still get goes back with its last reference.
            return try await group.next() ?? nil
        }
        guard let memory else {
            throw VaultError(.unavailable, "The service is busy: there was no memory for the request in time. Please try again.")
        }
        return memory
    }

    /// Accounts in numbers, as the budget tells owners apart.
    static func memoryOwner(_ account: AccountID) -> MemoryBudget.Owner {
        // Twelve digits always are a number.
        MemoryBudget.Owner(account.digits) ?? 0
    }
}
