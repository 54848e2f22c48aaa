// SPDX-License-Identifier: Apache-2.0

public import NIOCore
public import Storage

/// A blob store on a local file system: one file per blob, at `<root>/<blob id>` (Docs/Formats/DataDirectory-v1.md).
///
/// Invariants:
///  1. A file under a blob's name is complete: it is written in `<root>/.incoming` under no (or a hidden) name, synced,
///     then linked.
///  2. A write is acknowledged after file sync, link and directory sync, in this order; a directory sync counts only
///     when it began after the link.
///  3. Directories are made durable before anything in them is acknowledged, and are never removed.
///  4. Writes stop while `reserveBytes` are still free, so that deletes and the catalog go on.
/// The root must be one file system with hard links. A name cannot be both a blob and the beginning of another one's
/// path.
public final class FileBlobStore: BlobStore {
    /// Where blobs are written; no blob id can name it.
    public static let incomingDirectory = ".incoming"
    /// Where damaged blobs are kept after `setAside`; no blob id can name it, and nothing is ever removed from it.
    public static let quarantineDirectory = ".quarantine"
    /// The most blobs of one `putAll`.
    public static let maxBlobsPerPut = 1024
    /// The most files that one `putAll` writes at the same time.
    static let concurrentWritesPerPut = 8

    let disk: any Disk
    let root: String
    let room: RoomGauge
    let directories: KnownDirectories
    private let barrier = DirectoryBarrier()

    public var readsNeedRecall: Bool { false }

    /// - Parameters:
    ///   - root: the directory of the blobs, made on the first write when missing.
    ///   - reserveBytes: free room that writes leave alone.
    public init(disk: any Disk, root: String, reserveBytes: UInt64) {
        self.disk = disk
        self.root = root
        room = RoomGauge(reserveBytes: reserveBytes)
        directories = KnownDirectories(root: root)
    }

    /// Removes what writes of an earlier process have left where files need hidden names. Call once at start, before
    /// any write, while no other process uses the directory.
    public func removeAbandonedWrites() async throws(StorageError) {
        for entry in try await disk.entries(of: incoming) where !entry.isDirectory {
            try await disk.remove("\(incoming)/\(entry.name)")
        }
    }

    // MARK: writing

    public func beginWrite(_ id: BlobID, expectedBytes: UInt64) async throws(StorageError) -> any BlobWriter {
        let promise = try await room.promise(bytes: expectedBytes, on: disk, at: root, directories)
        do throws(StorageError) {
            return FileBlobWriter(store: self, id: id, file: try await createTemporary(), promise: promise)
        } catch {
            room.settle(promise)
            throw error
        }
    }

    /// All files are written and synced first, then linked in the given order, then each directory is synced once. When
    /// a link fails, the links of this call before it are taken back. After a power cut during the call, any of them
    /// may be there.
    public func putAll(_ blobs: [(id: BlobID, bytes: ByteBuffer)]) async throws(StorageError) {
        precondition(blobs.count <= Self.maxBlobsPerPut, "putAll takes \(Self.maxBlobsPerPut) blobs at most")
        guard !blobs.isEmpty else { return }
        let total = blobs.reduce(UInt64(0)) { $0 + UInt64($1.bytes.readableBytes) }
        let promise = try await room.promise(bytes: total, on: disk, at: root, directories)
        defer { room.settle(promise) }
        if blobs.count == 1 { return try await putOne(blobs[0].id, blobs[0].bytes, promise) }
        let files = try await writeSynced(blobs.map(\.bytes), promise)
        let result: Result<Void, StorageError>
        do throws(StorageError) {
            result = .success(try await publishAll(zip(files, blobs).map { ($0, $1.id) }))
        } catch {
            result = .failure(error)
        }
        for file in files { await file.close() }
        try result.get()
    }

    /// The same for a single blob, in two steps of the disk.
    private func putOne(_ id: BlobID, _ bytes: ByteBuffer, _ promise: RoomPromise) async throws(StorageError) {
        let directory = directory(of: id)
        try await directories.ensure(incoming, on: disk)
        try await directories.ensure(directory, on: disk)
        do throws(StorageError) {
            try await disk.store(bytes, in: incoming, at: path(of: id))
        } catch {
            guard error.code == .notFound else { throw error }
            // Someone has removed a directory that we knew; make it again, once.
            directories.forgetAll()
            try await directories.ensure(incoming, on: disk)
            try await directories.ensure(directory, on: disk)
            try await disk.store(bytes, in: incoming, at: path(of: id))
        }
        room.spend(bytes.readableBytes, of: promise)
        try await makeNamesDurable(in: directory)
    }

    private func publishAll(_ files: [(file: any DiskFile, id: BlobID)]) async throws(StorageError) {
        var published: [BlobID] = []
        do throws(StorageError) {
            for (file, id) in files {
                try await publish(file, as: id)
                published.append(id)
            }
        } catch {
            // Nobody was told of these names. What cannot be removed is an orphan, which scrubbing reports.
            for id in published { try? await disk.remove(path(of: id)) }
            throw error
        }
        for directory in Set(published.map(directory(of:))).sorted() { try await makeNamesDurable(in: directory) }
    }

    /// Links a synced file to the path of `id`.
    func publish(_ file: any DiskFile, as id: BlobID) async throws(StorageError) {
        let directory = directory(of: id)
        try await directories.ensure(directory, on: disk)
        do throws(StorageError) {
            try await disk.publish(file, at: path(of: id))
        } catch {
            guard error.code == .notFound else { throw error }
            // Someone has removed a directory that we knew; make it again, once.
            directories.forgetAll()
            try await directories.ensure(directory, on: disk)
            try await disk.publish(file, at: path(of: id))
        }
    }

    /// What is linked, or unlinked, in `directory` before this call is durable on return.
    func makeNamesDurable(in directory: String) async throws(StorageError) {
        do throws(StorageError) {
            try await barrier.sync(directory, on: disk)
        } catch {
            throw StorageError(
                .outcomeUnknown, "names in \(directory) could not be made durable; check the disk", cause: error)
        }
    }

    func createTemporary() async throws(StorageError) -> any DiskFile {
        try await directories.ensure(incoming, on: disk)
        return try await disk.createTemporary(in: incoming)
    }

    // MARK: reading

    public func read(_ id: BlobID, range: Range<UInt64>) async throws(StorageError) -> ByteBuffer {
        precondition(range.upperBound - range.lowerBound <= UInt64(maxReadBytes), "one read is bounded")
        return try await disk.read(path(of: id), range: range)
    }

    public func size(of id: BlobID) async throws(StorageError) -> UInt64? { try await disk.size(of: path(of: id)) }

    public func list(prefix: String, after: BlobID?, limit: Int) async throws(StorageError) -> [BlobListing] {
        precondition((0...100_000).contains(limit), "a page is bounded")
        return try await TreeListing(disk: disk, root: root, prefix: prefix, after: after, limit: limit).page()
    }

    public func recall(_ ids: [BlobID]) async throws(StorageError) -> RecallState { .ready }

    // MARK: deleting and room

    public func delete(_ id: BlobID) async throws(StorageError) {
        try await disk.remove(path(of: id))
        do throws(StorageError) {
            // Also when nothing was there: an earlier delete may have been cut off before this point.
            try await makeNamesDurable(in: directory(of: id))
        } catch {
            // No such directory: then no such name either.
            if let cause = error.cause as? StorageError, cause.code == .notFound { return }
            throw error
        }
    }

    public func availableBytes() async throws(StorageError) -> UInt64 {
        try await room.availableBytes(on: disk, at: root, directories)
    }

    // MARK: paths

    var incoming: String { "\(root)/\(Self.incomingDirectory)" }
    func path(of id: BlobID) -> String { "\(root)/\(id.name)" }
    func directory(of id: BlobID) -> String {
        guard let slash = id.name.utf8.lastIndex(of: UInt8(ascii: "/")) else { return root }
        return "\(root)/\(id.name[..<slash])"
    }
}
