// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import SealedArchive
import Storage
import VaultModel

/// Turns what the rooms below throw into the engine's one error type, once, where it leaves the engine.
extension VaultError {
    /// The caller learns only that it failed and whether to try again; the operator gets the chain.
    static func wrapping(_ error: any Error, _ doing: String) -> VaultError {
        switch error {
        case let error as VaultError: error
        case let error as StorageError: storage(error, doing)
        case let error as FormatError:
            VaultError(.integrity, "Stored data did not verify while \(doing). The operator must act.", cause: error)
        case let error as SealError:
            VaultError(.integrity, "Stored data did not verify while \(doing). The operator must act.", cause: error)
        case let error as ExecutionError:
            VaultError(.unavailable, "The service is busy. Please try again.", cause: error)
        case is CancellationError:
            VaultError(.unavailable, "The request was interrupted. Please try again.", cause: error)
        default:
            VaultError(.internalFailure, "The service failed while \(doing). Please try again.", cause: error)
        }
    }

    private static func storage(_ error: StorageError, _ doing: String) -> VaultError {
        switch error.code {
        case .noSpace:
            VaultError(.unavailable, "The vault's storage is full. Free space or try again later.", cause: error)
        case .transient, .conflict, .alreadyExists:
            // A name that is taken: another request is doing the same.
            VaultError(.unavailable, "The service is busy. Please try again.", cause: error)
        case .integrity, .notFound:
            // A name that the catalog holds and the store does not is as bad as wrong bytes.
            VaultError(.integrity, "Stored data did not verify while \(doing). The operator must act.", cause: error)
        case .outcomeUnknown, .unusable:
            VaultError(.internalFailure, "The service failed while \(doing). Please try again.", cause: error)
        }
    }
}

/// Runs `body` and lets only `VaultError` out.
@discardableResult
func vaultErrors<R>(
    _ doing: String, _ body: () async throws -> R
) async throws(VaultError) -> R {
    do { return try await body() } catch { throw .wrapping(error, doing) }
}

/// The documented sentences that depend on stored state.
enum Messages {
    static func vaultNotFound(_ location: VaultLocation) -> VaultError {
        VaultError(.notFound, "Vault not found for ARN: \(location.arn)")
    }
    static func archiveNotFound(_ id: String) -> VaultError { VaultError(.notFound, "The archive ID was not found: \(id)") }
    static func uploadNotFound(_ id: String) -> VaultError { VaultError(.notFound, "The upload ID was not found: \(id)") }
    static func jobNotFound(_ id: String) -> VaultError { VaultError(.notFound, "The job ID was not found: \(id)") }
    static func foreignArchive(_ location: VaultLocation) -> VaultError {
        VaultError(.invalidParameter, "Invalid vault name: \(location.arn)")
    }
    static func noLock(_ location: VaultLocation) -> VaultError {
        VaultError(.notFound, "No vault lock policy is set for: \(location.name)")
    }
    static func clockNotTrusted(_ location: VaultLocation) -> VaultError {
        VaultError(
            .unavailable,
            "Nothing was deleted. The clock of the service runs ahead of the time that it has counted, so it cannot tell whether the lock of "
                + "\(location.arn) allows this yet. Ask the operator to confirm the clock (coldvault clock confirm), then try again.",
            retryAfter: .seconds(300))
    }
    static func jobNotReady(_ id: String) -> VaultError {
        VaultError(.invalidParameter, "The job is not currently available for download: \(id)")
    }
    static let internalTextUnreadable = "Stored data did not verify. The operator must act."
}
