// SPDX-License-Identifier: Apache-2.0

public import NIOCore
public import Storage
import Synchronization

/// Two stores that hold the same blobs: the first decides, the mirror follows (Docs/Decisions/0021-scrub-and-mirror.md).
///
/// Invariants:
///  1. What is acknowledged is durable on the first copy, and durable on the mirror or durably owed to it (policy `continue`); under the
///     policy `refuse` it is on both.
///  2. The mirror gets a name only after the first copy has accepted it: what the first refuses leaves nothing on the mirror.
///  3. A deletion that the mirror has missed is owed too. Nothing is deleted from a mirror because the first copy lacks it.
///  4. Listings, and whether a name is taken, are the first copy's. Reads fall back when it has lost a blob or cannot read it; wrong bytes
///     are found above, by whoever verifies, through ``copies``.
public final class MirroredBlobStore: BlobStore {
    let primary: any BlobStore
    let mirror: any BlobStore
    let link: MirrorLink

    public var readsNeedRecall: Bool { primary.readsNeedRecall }

    init(primary: any BlobStore, mirror: any BlobStore, link: MirrorLink) {
        self.primary = primary
        self.mirror = mirror
        self.link = link
    }

    /// - Parameter ledger: where what the mirror is owed is noted: a small store of its own beside the first copy.
    public convenience init(
        primary: any BlobStore, mirror: any BlobStore, ledger: any BlobStore, policy: MirrorFailurePolicy
    ) {
        self.init(primary: primary, mirror: mirror, link: MirrorLink(policy: policy, ledger: ledger))
    }

    /// The same pair over other doors to the same two places (such as the first copy with its space reserve open): one state of the mirror
    /// for both.
    public func sibling(primary: any BlobStore, mirror: any BlobStore) -> MirroredBlobStore {
        MirroredBlobStore(primary: primary, mirror: mirror, link: link)
    }

    // MARK: writing

    public func beginWrite(_ id: BlobID, expectedBytes: UInt64) async throws(StorageError) -> any BlobWriter {
        try link.admitWrite()
        let first = try await primary.beginWrite(id, expectedBytes: expectedBytes)
        guard link.isThere else { return MirroredBlobWriter(id: id, primary: first, mirror: nil, link: link) }
        do throws(StorageError) {
            let second = try await mirror.beginWrite(id, expectedBytes: expectedBytes)
            return MirroredBlobWriter(id: id, primary: first, mirror: second, link: link)
        } catch {
            link.note(error)
            if link.policy == .refuse {
                await first.abandon()
                throw error
            }
            return MirroredBlobWriter(id: id, primary: first, mirror: nil, link: link)
        }
    }

    public func putAll(_ blobs: [(id: BlobID, bytes: ByteBuffer)]) async throws(StorageError) {
        try link.admitWrite()
        try await primary.putAll(blobs)
        guard link.isThere else { return try await link.missed(writesOf: blobs.map(\.id)) }
        let failure: StorageError
        do throws(StorageError) {
            return try await mirror.putAll(blobs)
        } catch {
            failure = error
        }
        link.note(failure)
        try await link.missed(writesOf: blobs.map(\.id))
    }

    // MARK: reading

    public func read(_ id: BlobID, range: Range<UInt64>) async throws(StorageError) -> ByteBuffer {
        do throws(StorageError) {
            return try await primary.read(id, range: range)
        } catch {
            guard error.code == .notFound || error.code == .integrity, link.isThere else { throw error }
            let failure = error
            do throws(StorageError) {
                let bytes = try await mirror.read(id, range: range)
                link.state.withLock { $0.fallbacks += 1 }
                return bytes
            } catch {
                throw failure
            }
        }
    }

    public func size(of id: BlobID) async throws(StorageError) -> UInt64? {
        if let bytes = try await primary.size(of: id) { return bytes }
        return link.isThere ? try await mirror.size(of: id) : nil
    }

    public func list(prefix: String, after: BlobID?, limit: Int) async throws(StorageError) -> [BlobListing] {
        try await primary.list(prefix: prefix, after: after, limit: limit)
    }

    public func recall(_ ids: [BlobID]) async throws(StorageError) -> RecallState { try await primary.recall(ids) }

    // MARK: deleting and room

    /// The mirror first: a blob that is half deleted after a crash is the first copy's, as every listing is.
    public func delete(_ id: BlobID) async throws(StorageError) {
        try await deleteFromMirror(id)
        try await primary.delete(id)
        // The synchronizer may have copied it in between.
        if link.isCopying { try await deleteFromMirror(id) }
        try await link.forget(writeOf: id)
    }

    private func deleteFromMirror(_ id: BlobID) async throws(StorageError) {
        guard link.isThere else { return try await link.missed(deletionOf: id) }
        let failure: StorageError
        do throws(StorageError) {
            return try await mirror.delete(id)
        } catch {
            failure = error
        }
        link.note(failure)
        try await link.missed(deletionOf: id)
    }

    public func availableBytes() async throws(StorageError) -> UInt64 {
        let first = try await primary.availableBytes()
        guard link.policy == .refuse, link.isThere else { return first }
        return min(first, try await mirror.availableBytes())
    }

    // MARK: copies and damage

    /// The first copy alone while the mirror is away: an empty mount point must not look like a lost archive.
    public var copies: [any BlobStore] { link.isThere ? [primary, mirror] : [primary] }

    public var copyStates: [BlobCopyState] {
        let state = link.state.withLock { $0 }
        let detail: String
        if let reason = state.awayBecause {
            detail = reason
        } else if state.owed > 0 {
            detail = "it is owed \(state.owed) writes and deletions" + (state.lastFailure.map { "; last failure: \($0)" } ?? "")
        } else {
            detail = state.isSynchronized ? "complete" : "older blobs are being copied to it: \(state.copied) so far"
        }
        return [
            BlobCopyState(name: "primary", isUsable: true, isComplete: true, owed: 0, detail: "decides"),
            BlobCopyState(
                name: "mirror", isUsable: state.awayBecause == nil,
                isComplete: state.awayBecause == nil && state.isSynchronized && state.owed == 0, owed: state.owed, detail: detail),
        ]
    }

    public func setAside(_ id: BlobID) async throws(StorageError) -> Bool { try await primary.setAside(id) }

    /// The new bytes are on the disk before the old ones are moved, so that the name is free only for a moment.
    public func repair(_ id: BlobID, copy: Int, from source: Int) async throws(StorageError) {
        let all = copies
        precondition(copy != source, "a copy is not repaired from itself")
        guard all.indices.contains(copy), all.indices.contains(source) else {
            throw StorageError(.transient, "a copy of \(id) is not there any more; it is repaired when it is back")
        }
        try await Self.copy(id, from: all[source], to: all[copy], settingAside: true)
        if copy > 0 { try await link.forget(writeOf: id) }
    }

    /// In pieces of a megabyte.
    static func copy(
        _ id: BlobID, from source: any BlobStore, to target: any BlobStore, settingAside: Bool,
        afterPiece: (UInt64) async throws(StorageError) -> Void = { (_) throws(StorageError) in }
    ) async throws(StorageError) {
        guard let bytes = try await source.size(of: id) else { throw StorageError(.notFound, "no \(id) to copy") }
        let writer = try await target.beginWrite(id, expectedBytes: bytes)
        do throws(StorageError) {
            var position: UInt64 = 0
            while position < bytes {
                let end = min(bytes, position + 1 << 20)
                try await writer.write(try await source.read(id, range: position..<end))
                try await afterPiece(end - position)
                position = end
            }
            if settingAside { _ = try await target.setAside(id) }
            try await writer.commit()
        } catch {
            await writer.abandon()
            throw error
        }
    }
}
