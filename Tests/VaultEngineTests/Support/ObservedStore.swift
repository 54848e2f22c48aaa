// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Storage
import StorageLaws
import Synchronization

/// A store in memory that counts its reads and can pretend to be full, fail, or hold a read back.
final class ObservedStore: BlobStore {
    private struct State {
        var reads: [BlobID: Int] = [:]
        var recalls = 0
        var unknownPuts = 0
        var puts: [BlobID] = []
        var onPut: (@Sendable (BlobID) async -> Void)?
        var pretendedRoom: UInt64?
        var onDelete: (@Sendable (BlobID) throws(StorageError) -> Void)?
        var onRead: (@Sendable (BlobID) async throws(StorageError) -> Void)?
    }
    let memory: MemoryBlobStore
    private let state = Mutex(State())

    init(_ memory: MemoryBlobStore = MemoryBlobStore()) { self.memory = memory }

    var names: Set<String> { Set(memory.blobs.keys.map(\.name)) }
    func names(containing text: String) -> [String] { names.filter { $0.contains(text) }.sorted() }

    /// How often blobs whose name contains `text` were read.
    func reads(containing text: String) -> Int {
        state.withLock { $0.reads.filter { $0.key.name.contains(text) }.reduce(0) { $0 + $1.value } }
    }
    var recalls: Int { state.withLock { $0.recalls } }
    func forgetReads() { state.withLock { $0.reads = [:] } }
    /// The next `count` puts happen, but say that nobody knows.
    func leaveUnknown(_ count: Int) { state.withLock { $0.unknownPuts = count } }
    func pretendRoom(_ bytes: UInt64?) { state.withLock { $0.pretendedRoom = bytes } }
    func onDelete(_ hook: (@Sendable (BlobID) throws(StorageError) -> Void)?) { state.withLock { $0.onDelete = hook } }
    /// Names written since the last ``forgetPuts()``, whole or streamed.
    var puts: [String] { state.withLock { $0.puts.map(\.name) } }
    func forgetPuts() { state.withLock { $0.puts = [] } }
    /// Runs after each blob of a batch was put.
    func onPut(_ hook: (@Sendable (BlobID) async -> Void)?) { state.withLock { $0.onPut = hook } }
    func onRead(_ hook: (@Sendable (BlobID) async throws(StorageError) -> Void)?) {
        state.withLock { $0.onRead = hook }
    }

    /// Flips one bit in the middle of each blob whose name contains `text`.
    func rot(containing text: String) {
        for (id, bytes) in memory.blobs where id.name.contains(text) {
            var rotten = bytes
            rotten[bytes.count / 2] ^= 0x10
            memory.overwrite(id, with: rotten)
        }
    }

    var readsNeedRecall: Bool { memory.readsNeedRecall }
    func beginWrite(_ id: BlobID, expectedBytes: UInt64) async throws(StorageError) -> any BlobWriter {
        state.withLock { $0.puts.append(id) }
        return try await memory.beginWrite(id, expectedBytes: expectedBytes)
    }
    func putAll(_ blobs: [(id: BlobID, bytes: ByteBuffer)]) async throws(StorageError) {
        try await memory.putAll(blobs)
        let hook = state.withLock { state in
            state.puts += blobs.map(\.id)
            return state.onPut
        }
        if let hook { for blob in blobs { await hook(blob.id) } }
        let isUnknown = state.withLock { state in
            defer { state.unknownPuts = max(0, state.unknownPuts - 1) }
            return state.unknownPuts > 0
        }
        if isUnknown { throw StorageError(.outcomeUnknown, "simulated loss of an answer") }
    }
    func read(_ id: BlobID, range: Range<UInt64>) async throws(StorageError) -> ByteBuffer {
        let hook = state.withLock { state in
            state.reads[id, default: 0] += 1
            return state.onRead
        }
        if let hook { try await hook(id) }
        return try await memory.read(id, range: range)
    }
    func size(of id: BlobID) async throws(StorageError) -> UInt64? { try await memory.size(of: id) }
    func list(prefix: String, after: BlobID?, limit: Int) async throws(StorageError) -> [BlobListing] {
        try await memory.list(prefix: prefix, after: after, limit: limit)
    }
    func delete(_ id: BlobID) async throws(StorageError) {
        if let hook = state.withLock({ $0.onDelete }) { try hook(id) }
        try await memory.delete(id)
    }
    func recall(_ ids: [BlobID]) async throws(StorageError) -> RecallState {
        state.withLock { $0.recalls += 1 }
        return try await memory.recall(ids)
    }
    func availableBytes() async throws(StorageError) -> UInt64 {
        if let pretended = state.withLock({ $0.pretendedRoom }) { return pretended }
        return try await memory.availableBytes()
    }
}
