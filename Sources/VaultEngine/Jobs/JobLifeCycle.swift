// SPDX-License-Identifier: Apache-2.0

import SealedArchive
import Storage
import VaultModel

/// What becomes of a leased job when its work ended in an error, pure.
///
///     queued ──claim──▶ leased ──output ready──▶ succeeded ──retention──▶ (gone)
///        ▲                │ ├──────cannot be──▶ failed ─────retention──▶ (gone)
///        └──hand back, lease lost, may work later──┘
enum JobLifeCycle {
    enum Action: Equatable {
        /// Hand the lease back; the job is tried again.
        case retry
        /// End it as failed with this reason for the client.
        case fail(String)
        /// Leave it: somebody else owns it, or the service is stopping.
        case leave
    }

    static let archiveDeleted = "The archive was deleted before its retrieval was complete."

    static func afterError(_ error: any Error, attempts: UInt32, maxAttempts: UInt32) -> Action {
        if error is CancellationError { return .leave }
        if let error = error as? JobFailure { return .fail(error.reason) }
        // A full store empties again: the job waits for room, it does not fail.
        if let error = error as? StorageError, error.code == .noSpace { return .retry }
        switch code(of: error) {
        case .integrity:
            return .fail(
                "The stored archive did not pass its integrity check and was not released. "
                    + "The operator of this service has been notified.")
        case .notFound: return .fail(archiveDeleted)
        case .unavailable, .internalFailure:
            return attempts < maxAttempts
                ? .retry
                : .fail(
                    "The retrieval failed \(attempts) times for a reason that the operator of this service can look up."
                )
        default:
            return .fail("The retrieval failed for a reason that the operator of this service can look up.")
        }
    }

    /// A job is under suspicion when more than one process died with it: the first time it may have stood beside the
    /// cause, or the machine was switched off.
    static func isSuspect(deaths: UInt32) -> Bool { deaths > 1 }

    /// Why a job ends without being tried again after so many processes died with it; nil: it is tried.
    static func afterDeaths(_ deaths: UInt32, limit: UInt32) -> String? {
        guard deaths >= limit else { return nil }
        return "The service ended \(deaths) times while it prepared this output, for a reason that its operator can look up."
    }

    /// Whether the error counts against the job: not when it was interrupted, nor while it waits for room.
    static func isAttempt(_ error: any Error) -> Bool {
        if error is CancellationError { return false }
        return (error as? StorageError)?.code != .noSpace
    }

    private static func code(of error: any Error) -> VaultError.Code {
        VaultError.wrapping(error, "preparing an output").code
    }
}

/// A reason to end a job as failed, in words for its client.
struct JobFailure: Error {
    let reason: String
}
