// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Storage

/// A store over another that is only ever read: new blobs go to a scratch store, deletions end there. A service may go on over the original
/// meanwhile.
struct ReadThroughStore: BlobStore {
    let original: any BlobStore
    let scratch: any BlobStore

    var readsNeedRecall: Bool { original.readsNeedRecall }

    func beginWrite(_ id: BlobID, expectedBytes: UInt64) async throws(StorageError) -> any BlobWriter {
        try await refuse(id)
        return try await scratch.beginWrite(id, expectedBytes: expectedBytes)
    }

    func putAll(_ blobs: [(id: BlobID, bytes: ByteBuffer)]) async throws(StorageError) {
        for blob in blobs { try await refuse(blob.id) }
        try await scratch.putAll(blobs)
    }

    func read(_ id: BlobID, range: Range<UInt64>) async throws(StorageError) -> ByteBuffer {
        if try await scratch.size(of: id) != nil { return try await scratch.read(id, range: range) }
        return try await original.read(id, range: range)
    }

    func size(of id: BlobID) async throws(StorageError) -> UInt64? {
        if let bytes = try await scratch.size(of: id) { return bytes }
        return try await original.size(of: id)
    }

    func list(prefix: String, after: BlobID?, limit: Int) async throws(StorageError) -> [BlobListing] {
        let (first, second) = (
            try await original.list(prefix: prefix, after: after, limit: limit),
            try await scratch.list(prefix: prefix, after: after, limit: limit)
        )
        guard !second.isEmpty else { return first }
        // Names are in one of the two only.
        return Array((first + second).sorted { $0.id < $1.id }.prefix(limit))
    }

    func delete(_ id: BlobID) async throws(StorageError) { try await scratch.delete(id) }

    func recall(_ ids: [BlobID]) async throws(StorageError) -> RecallState { try await original.recall(ids) }

    func availableBytes() async throws(StorageError) -> UInt64 { try await scratch.availableBytes() }

    private func refuse(_ id: BlobID) async throws(StorageError) {
        if try await original.size(of: id) != nil { throw StorageError(.alreadyExists, "\(id) is there already") }
    }
}
