// SPDX-License-Identifier: Apache-2.0

import Logging
import Storage
import VaultModel

extension VaultEngine {
    /// Names blobs for deletion, durably. They go after the grace.
    func doom(_ blobs: [BlobID], of store: DoomedBlob.Store, after grace: Duration = .zero) async throws {
        let due = clock.now().advanced(by: grace)
        try await catalog.doom(blobs.map { DoomedBlob(id: $0.name, store: store, notBefore: due) })
    }

    /// The first generation from this one on for whose name no deletion waits. A name once doomed is not used again while its deletion is
    /// remembered: one that a crash or a failing disk left half done is repeated, and would hit what was written since.
    func undoomed(from generation: UInt64, _ name: (UInt64) throws -> BlobID) async throws -> UInt64 {
        for next in generation..<generation + Self.maxDoomedNames {
            if try await !catalog.isDoomed(name(next).name, in: .cold) { return next }
        }
        throw VaultError(.unavailable, "Too many deletions of the same thing are waiting. Please try again.")
    }

    private static let maxDoomedNames: UInt64 = 1000

    /// Runs a change that gives room back. On a full medium the reserve is given up for it, and it is run once more.
    func freeingRoom<R>(_ change: () async throws -> R) async throws -> R {
        do {
            return try await change()
        } catch let error as StorageError where error.code == .noSpace {
            guard let spaceReserve, await spaceReserve.release() else { throw error }
            logger.error("the disk is full: the space reserve was given up for a deletion; free space now")
            return try await change()
        }
    }

    /// After a failed write: what may have become visible is doomed, unless the failure leaves open whether it counts, or says that the name
    /// is another write's, which is not ours to delete. When even that fails, the blobs stay unnamed and are reported by a scrub; nothing is
    /// lost by keeping them.
    func doomUnlessUnknown(_ blobs: [BlobID], after error: any Error) async throws {
        if let error = error as? StorageError, [.outcomeUnknown, .unusable, .alreadyExists].contains(error.code) { return }
        do {
            try await doom(blobs, of: .cold)
        } catch {
            logger.warning(
                "blobs of a failed write stay behind unnamed", metadata: ["blobs": "\(blobs.map(\.name))", "error": "\(error)"])
        }
    }
}

/// The typed form of a name that the engine itself built.
func blobID(_ name: String) throws(VaultError) -> BlobID {
    guard let id = BlobID(name) else {
        throw VaultError(.internalFailure, "The service built an impossible blob name: \(name)")
    }
    return id
}
