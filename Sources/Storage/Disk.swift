// SPDX-License-Identifier: Apache-2.0

public import NIOCore

/// The file operations that durability rests on, and nothing else: the seam where a test can tear, drop and fail writes.
///
/// Paths are absolute or relative to the process, as the composition root gives them. Laws (`Tests/StorageLaws`):
///  1. After `sync()` on a file, `publish`/`replace` and `syncDirectory` of its directory, content and name survive a power cut.
///  2. `publish` never replaces: `.alreadyExists`.
///  3. A failed `sync` makes the file suspect for ever: it must be abandoned, never synced again.
///  4. Every call runs on a bounded pool of blocking threads, never on the caller's executor.
public protocol Disk: Sendable {
    /// Creates the directory and its missing parents (mode 0700) and makes their names durable.
    func createDirectory(_ path: String) async throws(StorageError)
    func syncDirectory(_ path: String) async throws(StorageError)
    /// A new nameless (or hidden temporary) file on the same file system as `directory`, mode 0600, open for writing.
    func createTemporary(in directory: String) async throws(StorageError) -> any DiskFile
    /// A new temporary file that holds `content`, synced: create, write and sync in one step, for small blobs.
    func writeSynced(_ content: ByteBuffer, in directory: String) async throws(StorageError) -> any DiskFile
    /// A new file at `path` that holds `content`, synced before it gets its name: create in `directory`, write, sync, publish and close in
    /// one step, for small blobs. Write-once; does not sync the directory.
    func store(_ content: ByteBuffer, in directory: String, at path: String) async throws(StorageError)
    /// Exactly the bytes of `range` of an existing file: open, read and close in one step.
    func read(_ path: String, range: Range<UInt64>) async throws(StorageError) -> ByteBuffer
    /// Opens an existing file for reading; `.notFound` when absent.
    func openFile(_ path: String) async throws(StorageError) -> any DiskFile
    /// Gives a temporary file its name; write-once. Does not sync the directory.
    func publish(_ file: any DiskFile, at path: String) async throws(StorageError)
    /// Atomically replaces the content of `path`: temporary, fsync, rename, directory fsync. Durable on return.
    func replace(_ path: String, with bytes: [UInt8]) async throws(StorageError)
    /// The whole of a small file; `.integrity` when it is larger than `limit`.
    func readAll(_ path: String, limit: Int) async throws(StorageError) -> [UInt8]
    /// Gives an existing file a second name on the same file system; write-once like `publish`, `.notFound` when absent. The bytes are not
    /// touched, so it works on a file that cannot be read. Does not sync the directory.
    func link(_ path: String, to newPath: String) async throws(StorageError)
    /// Unlinks; succeeds when absent. Does not sync the directory.
    func remove(_ path: String) async throws(StorageError)
    /// Size in bytes of a regular file, nil when absent.
    func size(of path: String) async throws(StorageError) -> UInt64?
    /// Names in a directory with whether each is a directory, sorted by bytes; empty when the directory is absent.
    func entries(of directory: String) async throws(StorageError) -> [DiskEntry]
    /// Free bytes of the file system that holds `path`.
    func availableBytes(at path: String) async throws(StorageError) -> UInt64
}

extension Disk {
    /// By copying, for a disk that has no second names; such a one cannot name again what it cannot read.
    public func link(_ path: String, to newPath: String) async throws(StorageError) {
        let slash = newPath.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory = slash.map { $0 == newPath.startIndex ? "/" : String(newPath[..<$0]) } ?? "."
        let old = try await openFile(path)
        var new: (any DiskFile)?
        let result: Result<Void, StorageError>
        do throws(StorageError) {
            let file = try await createTemporary(in: directory)
            new = file
            let bytes = try await old.size()
            var position: UInt64 = 0
            while position < bytes {
                let end = min(bytes, position + 1 << 20)
                try await file.write(try await old.read(position..<end))
                position = end
            }
            try await file.sync()
            result = .success(try await publish(file, at: newPath))
        } catch {
            result = .failure(error)
        }
        await old.close()
        await new?.close()
        try result.get()
    }

    public func writeSynced(_ content: ByteBuffer, in directory: String) async throws(StorageError) -> any DiskFile {
        let file = try await createTemporary(in: directory)
        do throws(StorageError) {
            try await file.write(content)
            try await file.sync()
            return file
        } catch {
            await file.close()
            throw error
        }
    }

    public func store(_ content: ByteBuffer, in directory: String, at path: String) async throws(StorageError) {
        let file = try await writeSynced(content, in: directory)
        let result: Result<Void, StorageError>
        do throws(StorageError) {
            result = .success(try await publish(file, at: path))
        } catch {
            result = .failure(error)
        }
        await file.close()
        try result.get()
    }

    public func read(_ path: String, range: Range<UInt64>) async throws(StorageError) -> ByteBuffer {
        let file = try await openFile(path)
        let result: Result<ByteBuffer, StorageError>
        do throws(StorageError) {
            result = .success(try await file.read(range))
        } catch {
            result = .failure(error)
        }
        await file.close()
        return try result.get()
    }
}

/// One name in a directory.
public struct DiskEntry: Hashable, Sendable {
    public let name: String
    public let isDirectory: Bool
    public let bytes: UInt64
    public init(name: String, isDirectory: Bool, bytes: UInt64) {
        self.name = name
        self.isDirectory = isDirectory
        self.bytes = bytes
    }
}

/// An open file; one task at a time. Closed on `close()` or, at the latest, when released.
public protocol DiskFile: Sendable {
    /// Appends all of `bytes` (short writes are continued).
    func write(_ bytes: ByteBuffer) async throws(StorageError)
    /// Exactly the bytes of `range`; `.integrity` when the file ends before.
    func read(_ range: Range<UInt64>) async throws(StorageError) -> ByteBuffer
    /// Size in bytes now.
    func size() async throws(StorageError) -> UInt64
    /// fsync: data and size durable on return.
    func sync() async throws(StorageError)
    func close() async
}
