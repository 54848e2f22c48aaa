// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Storage
import Synchronization

/// What becomes of a write that the mirror does not take.
public enum MirrorFailurePolicy: String, Sendable, CaseIterable {
    /// It is acknowledged when the first copy has it; the mirror is owed it.
    case proceed = "continue"
    /// It is refused: nothing is acknowledged that is not on both.
    case refuse
}

/// What is known of the mirror, shared by the stores that write to it: whether it can be used, and what it is owed.
///
/// What is owed is a durable list of names, itself a small blob store beside the first copy: `write/<blob id>`, `delete/<blob id>`, each empty.
final class MirrorLink: Sendable {
    static let owedWrites = "write/"
    static let owedDeletions = "delete/"

    struct State {
        /// Nil: it is there.
        var awayBecause: String?
        var lastFailure: String?
        var isSynchronized = false
        var owed: UInt64 = 0
        var fallbacks: UInt64 = 0
        var copied: UInt64 = 0
    }

    let policy: MirrorFailurePolicy
    let ledger: any BlobStore
    let state = Mutex(State())

    init(policy: MirrorFailurePolicy, ledger: any BlobStore) {
        self.policy = policy
        self.ledger = ledger
    }

    var isThere: Bool { state.withLock { $0.awayBecause == nil } }

    /// Whether the synchronizer may be copying blobs.
    var isCopying: Bool { state.withLock { !$0.isSynchronized || $0.owed > 0 } }

    func note(_ error: StorageError) { state.withLock { $0.lastFailure = error.message } }

    /// Under the policy `refuse` a mirror that is not there takes no write, and so nobody does.
    func admitWrite() throws(StorageError) {
        guard policy == .refuse, let reason = state.withLock({ $0.awayBecause }) else { return }
        throw StorageError(.transient, "the mirror is not there, and nothing is accepted without it: \(reason)")
    }

    /// After the first copy has `ids` and the mirror has not: durable on return, or nothing may be acknowledged.
    func missed(writesOf ids: [BlobID]) async throws(StorageError) {
        do throws(StorageError) {
            for id in ids { try await owe(Self.owedWrites, id) }
        } catch {
            throw StorageError(
                .outcomeUnknown, "the mirror has missed a write, and that could not be noted; check both disks", cause: error)
        }
        guard policy == .refuse else { return }
        throw StorageError(
            .outcomeUnknown,
            "the mirror did not take a write that the first copy has; it is not acknowledged. Repair the mirror, or set mirrorFailure to continue")
    }

    func missed(deletionOf id: BlobID) async throws(StorageError) { try await owe(Self.owedDeletions, id) }

    private func owe(_ prefix: String, _ id: BlobID) async throws(StorageError) {
        guard let entry = BlobID(prefix + id.name) else {
            throw StorageError(.unusable, "the name \(id) is too long to be owed to a mirror")
        }
        do throws(StorageError) {
            try await ledger.putAll([(entry, ByteBuffer())])
            state.withLock { $0.owed += 1 }
        } catch {
            if error.code != .alreadyExists { throw error }
        }
    }

    /// The blob is gone from both: the mirror need not be given it any more.
    func forget(writeOf id: BlobID) async throws(StorageError) {
        guard state.withLock({ $0.owed > 0 }), let entry = BlobID(Self.owedWrites + id.name),
            try await ledger.size(of: entry) != nil
        else { return }
        try await ledger.delete(entry)
        state.withLock { $0.owed -= 1 }
    }
}
