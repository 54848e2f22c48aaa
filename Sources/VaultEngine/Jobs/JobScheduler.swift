// SPDX-License-Identifier: Apache-2.0

import Storage
import Synchronization
import VaultModel

/// The shared state of the job loop: how many slots are free and whose turn it is.
final class JobScheduler: Sendable {
    private struct State {
        var busy = 0
        var fairShare = FairShare()
        var reservedBytes: UInt64 = 0
    }
    private let state = Mutex(State())

    var busy: Int { state.withLock { $0.busy } }

    func next(of candidates: [JobRow]) -> JobRow? { state.withLock { $0.fairShare.next(of: candidates) } }

    func started(_ account: AccountID) {
        state.withLock {
            $0.busy += 1
            $0.fairShare.started(account)
        }
    }

    func finished(_ account: AccountID) {
        state.withLock {
            $0.busy -= 1
            $0.fairShare.finished(account)
        }
    }

    /// Sets room aside for a staged output before its recall; false when `available` less what others reserved does not hold it.
    func reserve(_ bytes: UInt64, available: UInt64) -> Bool {
        state.withLock {
            guard available >= $0.reservedBytes, available - $0.reservedBytes >= bytes else { return false }
            $0.reservedBytes += bytes
            return true
        }
    }

    func unreserve(_ bytes: UInt64) { state.withLock { $0.reservedBytes -= min(bytes, $0.reservedBytes) } }
}
