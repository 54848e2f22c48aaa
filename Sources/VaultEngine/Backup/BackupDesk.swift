// SPDX-License-Identifier: Apache-2.0

import Synchronization
import VaultModel

/// What the process knows of its backups: that one is being made, and how the last scheduled one ended.
final class BackupDesk: Sendable {
    private struct State {
        var isBusy = false
        var failure: String?
    }

    private let state = Mutex(State())

    /// Runs `body` unless another backup, or change of the backup keys, is under way: then `.unavailable`.
    func alone<R>(_ body: () async throws -> R) async throws -> R {
        let isFree = state.withLock { state in
            defer { state.isBusy = true }
            return !state.isBusy
        }
        guard isFree else {
            throw VaultError(.unavailable, "A backup is being made. Wait until that has ended.")
        }
        defer { state.withLock { $0.isBusy = false } }
        return try await body()
    }

    /// Nil when the last scheduled backup was made.
    var failure: String? {
        get { state.withLock { $0.failure } }
        set { state.withLock { $0.failure = newValue } }
    }
}
