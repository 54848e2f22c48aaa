// SPDX-License-Identifier: Apache-2.0

public import NIOCore
public import Storage
import Synchronization

/// A blob store in memory, for tests of what stands on one: it can be cold, full, failing and rotten.
public final class MemoryBlobStore: BlobStore {
    /// How cold blobs come back.
    public struct RecallDelay: Sendable {
        /// How often `recall` answers "pending" for a blob before it is ready.
        public let askings: Int
        /// The wait that it answers with.
        public let wait: Duration
        /// What a blob's name must contain for it to be cold; others can be read at once.
        public let only: String
        public init(askings: Int, wait: Duration, only: String = "") {
            self.askings = askings
            self.wait = wait
            self.only = only
        }
        func isCold(_ id: BlobID) -> Bool { only.isEmpty || id.name.contains(only) }
    }

    /// What a test can make fail.
    public enum Operation: Sendable, Hashable, CaseIterable {
        case beginWrite, write, commit, putAll, read, size, list, delete, recall
    }

    public let readsNeedRecall: Bool
    private let capacityBytes: UInt64
    private let recallDelay: RecallDelay
    private let state = Mutex(State())

    private struct State {
        var blobs: [BlobID: [UInt8]] = [:]
        /// The names in order, until one comes or goes.
        var sorted: [BlobID]?
        var usedBytes: UInt64 = 0
        /// Askings left until a cold blob can be read; absent: not asked for.
        var asides: [(id: BlobID, bytes: [UInt8])] = []
        var thawing: [BlobID: Int] = [:]
        var failures: [Operation: [StorageError.Code]] = [:]

        mutating func admit(_ operation: Operation) throws(StorageError) {
            guard var codes = failures[operation], !codes.isEmpty else { return }
            let code = codes.removeFirst()
            failures[operation] = codes
            throw StorageError(code, "simulated failure of \(operation)")
        }

        mutating func put(_ id: BlobID, _ bytes: [UInt8], capacity: UInt64) throws(StorageError) {
            guard blobs[id] == nil else { throw StorageError(.alreadyExists, "\(id) exists") }
            guard UInt64(bytes.count) <= capacity - usedBytes else {
                throw StorageError(.noSpace, "the memory store is full")
            }
            blobs[id] = bytes
            sorted = nil
            usedBytes += UInt64(bytes.count)
        }
    }

    /// - Parameter recallDelay: given, the store is cold: reads throw `.transient` until `recall` has said "ready".
    public init(capacityBytes: UInt64 = .max, recallDelay: RecallDelay? = nil) {
        self.capacityBytes = capacityBytes
        self.recallDelay = recallDelay ?? RecallDelay(askings: 0, wait: .zero)
        readsNeedRecall = recallDelay != nil
    }

    // MARK: what a test may do to it

    /// Everything stored.
    public var blobs: [BlobID: [UInt8]] { state.withLock { $0.blobs } }
    /// The next calls of `operation` fail with these codes, one each.
    public func fail(_ operation: Operation, with codes: [StorageError.Code]) {
        state.withLock { $0.failures[operation, default: []] += codes }
    }
    /// Replaces the bytes of a blob, write-once or not: rot, or a swap. Nil loses it.
    public func overwrite(_ id: BlobID, with bytes: [UInt8]?) {
        state.withLock {
            $0.blobs[id] = bytes
            $0.sorted = nil
        }
    }
    /// Makes recalled blobs cold again.
    public func freeze() { state.withLock { $0.thawing = [:] } }

    // MARK: BlobStore

    public func beginWrite(_ id: BlobID, expectedBytes: UInt64) async throws(StorageError) -> any BlobWriter {
        try change { (state) throws(StorageError) in
            try state.admit(.beginWrite)
            guard expectedBytes <= capacityBytes - state.usedBytes else {
                throw StorageError(.noSpace, "the memory store is full")
            }
        }
        return MemoryBlobWriter(store: self, id: id)
    }

    public func putAll(_ blobs: [(id: BlobID, bytes: ByteBuffer)]) async throws(StorageError) {
        try change { (state) throws(StorageError) in
            try state.admit(.putAll)
            let before = (state.blobs, state.usedBytes)
            do throws(StorageError) {
                for (id, bytes) in blobs { try state.put(id, Array(bytes.readableBytesView), capacity: capacityBytes) }
            } catch {
                (state.blobs, state.usedBytes) = before
                state.sorted = nil
                throw error
            }
        }
    }

    public func read(_ id: BlobID, range: Range<UInt64>) async throws(StorageError) -> ByteBuffer {
        precondition(range.upperBound - range.lowerBound <= UInt64(maxReadBytes), "one read is bounded")
        return try change { (state) throws(StorageError) in
            try state.admit(.read)
            guard let bytes = state.blobs[id] else { throw StorageError(.notFound, "no \(id)") }
            guard !readsNeedRecall || !recallDelay.isCold(id) || state.thawing[id] == 0 else {
                throw StorageError(.transient, "\(id) must be recalled first")
            }
            guard range.upperBound <= UInt64(bytes.count) else {
                throw StorageError(.integrity, "\(id) ends at \(bytes.count), before the end of \(range)")
            }
            return ByteBuffer(bytes: bytes[Int(range.lowerBound)..<Int(range.upperBound)])
        }
    }

    public func size(of id: BlobID) async throws(StorageError) -> UInt64? {
        try change { (state) throws(StorageError) in
            try state.admit(.size)
            return state.blobs[id].map { UInt64($0.count) }
        }
    }

    public func list(prefix: String, after: BlobID?, limit: Int) async throws(StorageError) -> [BlobListing] {
        try change { (state) throws(StorageError) in
            try state.admit(.list)
            let sorted = state.sorted ?? state.blobs.keys.sorted()
            state.sorted = sorted
            let ids = sorted[Self.start(of: prefix, after: after, in: sorted)...]
                .prefix { $0.name.utf8.starts(with: prefix.utf8) }
            return ids.prefix(limit).map { BlobListing(id: $0, bytes: UInt64(state.blobs[$0]?.count ?? 0)) }
        }
    }

    /// Where what follows `after` and begins with `prefix` begins.
    private static func start(of prefix: String, after: BlobID?, in sorted: [BlobID]) -> Int {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            let isBefore =
                sorted[middle].name.utf8.lexicographicallyPrecedes(prefix.utf8) || after.map { sorted[middle] <= $0 } ?? false
            if isBefore { low = middle + 1 } else { high = middle }
        }
        return low
    }

    public func delete(_ id: BlobID) async throws(StorageError) {
        try change { (state) throws(StorageError) in
            try state.admit(.delete)
            if let bytes = state.blobs.removeValue(forKey: id) { state.usedBytes -= UInt64(bytes.count) }
            state.sorted = nil
            state.thawing[id] = nil
        }
    }

    public func recall(_ ids: [BlobID]) async throws(StorageError) -> RecallState {
        try change { (state) throws(StorageError) in
            try state.admit(.recall)
            guard readsNeedRecall else { return .ready }
            var allReady = true
            for id in ids where recallDelay.isCold(id) {
                let left = state.thawing[id] ?? recallDelay.askings
                if left > 0 { allReady = false }
                state.thawing[id] = max(0, left - 1)
            }
            return allReady ? .ready : .pending(recallDelay.wait)
        }
    }

    /// What was set aside, in order.
    public var asides: [(id: BlobID, bytes: [UInt8])] { state.withLock { $0.asides } }

    public func setAside(_ id: BlobID) async throws(StorageError) -> Bool {
        try change { (state) throws(StorageError) in
            guard let bytes = state.blobs.removeValue(forKey: id) else { return false }
            state.asides.append((id, bytes))
            return true
        }
    }

    public func availableBytes() async throws(StorageError) -> UInt64 {
        capacityBytes - state.withLock { $0.usedBytes }
    }

    fileprivate func write(_ count: Int, after written: Int) throws(StorageError) {
        try change { (state) throws(StorageError) in
            try state.admit(.write)
            guard UInt64(written + count) <= capacityBytes - state.usedBytes else {
                throw StorageError(.noSpace, "the memory store is full")
            }
        }
    }

    fileprivate func commit(_ id: BlobID, _ bytes: [UInt8]) throws(StorageError) {
        try change { (state) throws(StorageError) in
            try state.admit(.commit)
            try state.put(id, bytes, capacity: capacityBytes)
        }
    }

    private func change<T: Sendable>(_ body: (inout State) throws(StorageError) -> T) throws(StorageError) -> T {
        try state.withLock { state throws(StorageError) in try body(&state) }
    }
}

private final class MemoryBlobWriter: BlobWriter {
    private let store: MemoryBlobStore
    private let id: BlobID
    /// Nil once the write is over.
    private let bytes = Mutex<[UInt8]?>([])

    init(store: MemoryBlobStore, id: BlobID) {
        self.store = store
        self.id = id
    }

    func write(_ more: ByteBuffer) async throws(StorageError) {
        guard let written = bytes.withLock({ $0?.count }) else { throw over }
        do throws(StorageError) {
            try store.write(more.readableBytes, after: written)
        } catch {
            bytes.withLock { $0 = nil }
            throw error
        }
        bytes.withLock { $0? += more.readableBytesView }
    }

    func commit() async throws(StorageError) {
        let content = bytes.withLock { bytes in
            defer { bytes = nil }
            return bytes
        }
        guard let content else { throw over }
        try store.commit(id, content)
    }

    func abandon() async { bytes.withLock { $0 = nil } }

    private var over: StorageError { StorageError(.unusable, "the write of \(id) is over") }
}
