// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Storage

/// A store over another that is only ever read: new blobs go to a scratch store and hide what the original has of that name, deletions end
/// in the scratch store, nothing is set aside. A service may go on over the original meanwhile.
///
/// Not hard links, which a write through either name would reach, and no copies, which a large vault has no room for. Of the laws of a store,
/// "written once" holds in the scratch store alone, and what is deleted shows the original again: enough for who throws it all away.
struct ReadThroughStore: BlobStore {
    let original: any BlobStore
    let scratch: any BlobStore

    var readsNeedRecall: Bool { original.readsNeedRecall }

    func beginWrite(_ id: BlobID, expectedBytes: UInt64) async throws(StorageError) -> any BlobWriter {
        try await scratch.beginWrite(id, expectedBytes: expectedBytes)
    }

    func putAll(_ blobs: [(id: BlobID, bytes: ByteBuffer)]) async throws(StorageError) { try await scratch.putAll(blobs) }

    func read(_ id: BlobID, range: Range<UInt64>) async throws(StorageError) -> ByteBuffer {
        if try await scratch.size(of: id) != nil { return try await scratch.read(id, range: range) }
        return try await original.read(id, range: range)
    }

    func size(of id: BlobID) async throws(StorageError) -> UInt64? {
        if let bytes = try await scratch.size(of: id) { return bytes }
        return try await original.size(of: id)
    }

    func list(prefix: String, after: BlobID?, limit: Int) async throws(StorageError) -> [BlobListing] {
        let below = try await original.list(prefix: prefix, after: after, limit: limit)
        let above = try await scratch.list(prefix: prefix, after: after, limit: limit)
        guard !above.isEmpty else { return below }
        var all: [BlobID: BlobListing] = [:]
        for entry in below + above { all[entry.id] = entry }
        return Array(all.values.sorted { $0.id < $1.id }.prefix(limit))
    }

    func delete(_ id: BlobID) async throws(StorageError) { try await scratch.delete(id) }

    func recall(_ ids: [BlobID]) async throws(StorageError) -> RecallState { try await original.recall(ids) }

    func availableBytes() async throws(StorageError) -> UInt64 { try await scratch.availableBytes() }
}
