// SPDX-License-Identifier: Apache-2.0

import Storage
import Synchronization
import VaultModel

/// The shared state of the job loop: which lanes are free, whose turn it is, what is set aside, and what has failed
/// how often.
final class JobScheduler: Sendable {
    /// Failing jobs remembered at once; forgetting them only lets them be tried more often.
    private static let maxFailures = 10_000

    private struct State {
        var dispatch: JobDispatch
        /// A job runs that must run alone.
        var isOneAlone = false
        var latest = Timestamp(milliseconds: 0)
        var reservedBytes: UInt64 = 0
        var failures: [JobUID: UInt32] = [:]
    }
    private let state: Mutex<State>

    init(sharedLanes: Int) { state = Mutex(State(dispatch: JobDispatch(sharedLanes: sharedLanes))) }

    func next(of candidates: [JobRow]) -> (job: JobRow, lane: JobDispatch.Lane)? {
        state.withLock { $0.dispatch.next(of: candidates) }
    }

    var hasRoom: Bool {
        state.withLock { !$0.isOneAlone && ($0.dispatch.hasRoom(.shared) || $0.dispatch.hasRoom(.provisioned)) }
    }
    var isBusy: Bool { state.withLock { $0.dispatch.busy.values.contains { $0 > 0 } } }

    /// - Parameter alone: nothing else starts until it has finished; nothing may be running.
    func started(_ account: AccountID, on lane: JobDispatch.Lane, alone: Bool = false) {
        state.withLock {
            $0.dispatch.started(account, on: lane)
            if alone { $0.isOneAlone = true }
        }
    }
    func finished(_ account: AccountID, on lane: JobDispatch.Lane) {
        state.withLock {
            $0.dispatch.finished(account, on: lane)
            // Whatever runs while one is alone is that one.
            $0.isOneAlone = false
        }
    }

    // MARK: Time

    /// The latest time that jobs were ordered or looked for at: what was ordered while the clock ran ahead must not
    /// wait, after the clock was put right, until it gets there again. A job that is ordered afterwards may so start
    /// before its tier's delay is over, which harms nobody.
    func time(atLeast now: Timestamp) -> Timestamp {
        state.withLock {
            $0.latest = max($0.latest, now)
            return $0.latest
        }
    }

    // MARK: Room for outputs

    /// Sets room aside for a staged output before its recall; false when `available` less what others reserved does
    /// not hold it.
    func reserve(_ bytes: UInt64, available: UInt64) -> Bool {
        state.withLock {
            guard available >= $0.reservedBytes, available - $0.reservedBytes >= bytes else { return false }
            $0.reservedBytes += bytes
            return true
        }
    }

    func unreserve(_ bytes: UInt64) { state.withLock { $0.reservedBytes -= min(bytes, $0.reservedBytes) } }

    // MARK: Failures

    /// Counts an attempt that failed and says which it was. Leases that were handed back by a stop, lost, or voided
    /// by a new process are no attempts; hence the count is of this process and not the catalog's, which counts
    /// claims.
    func failed(_ job: JobUID) -> UInt32 {
        state.withLock { state in
            if state.failures.count >= Self.maxFailures, state.failures[job] == nil { state.failures.removeAll() }
            state.failures[job, default: 0] += 1
            return state.failures[job, default: 1]
        }
    }

    func forgetFailures(of job: JobUID) { state.withLock { $0.failures[job] = nil } }
}
