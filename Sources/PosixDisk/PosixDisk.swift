// SPDX-License-Identifier: Apache-2.0

public import Execution
import Glibc
public import NIOCore
public import Storage
import Synchronization

/// The disk of the machine: POSIX calls on a pool of blocking threads.
///
/// New files are nameless (`O_TMPFILE`) until they are published, so a crash leaves nothing behind; where a file system
/// cannot do that, they carry a hidden name (``temporaryPrefix``) until then. Nothing reacts to cancellation: each call
/// has one known outcome. Files are made with mode 0600, directories with 0700; the last component of a path is never
/// followed through a symbolic link.
public final class PosixDisk: Disk {
    /// The most bytes that one `DiskFile.read` may ask for.
    public static let maxReadBytes = 16 << 20
    /// How the names of temporary files begin, where they need one.
    public static let temporaryPrefix = ".temporary-"
    /// How many threads a pool for one device should have: enough to keep its queue filled, few enough to be bounded.
    public static let defaultThreads = 8

    let pool: BlockingPool
    private let temporaries = Atomic<UInt64>(0)
    /// Set once a file system has refused nameless files; asking again each time would cost a call per file.
    private let mustNameTemporaries: Atomic<Bool>

    /// - Parameters:
    ///   - pool: where the calls block; the caller shuts it down after the last use of this disk.
    ///   - nameTemporaries: give temporary files hidden names from the start, without trying `O_TMPFILE`.
    public init(pool: BlockingPool, nameTemporaries: Bool = false) {
        self.pool = pool
        mustNameTemporaries = Atomic(nameTemporaries)
    }

    // MARK: directories

    /// The names it creates are durable on return, and the name of the last directory is, whether or not it was there
    /// before; a missing parent that another caller creates at the same time is that caller's to sync.
    public func createDirectory(_ path: String) async throws(StorageError) {
        try await pool.run { () throws(StorageError) in try Self.makeDirectory(path, remainingDepth: 256) }
    }

    private static func makeDirectory(_ path: String, remainingDepth: Int) throws(StorageError) {
        guard remainingDepth > 0 else { throw DiskFailure(ENAMETOOLONG, "mkdir", path).error }
        let parent = SystemCalls.parent(of: path)
        var existed = false
        var result = unsafe mkdir(path, 0o700)
        if result != 0 && errno == ENOENT && parent != path {
            try makeDirectory(parent, remainingDepth: remainingDepth - 1)
            result = unsafe mkdir(path, 0o700)
        }
        if result != 0 {
            let failure = DiskFailure("mkdir", path)
            guard failure.number == EEXIST else { throw failure.error }
            var status = stat()
            guard unsafe stat(path, &status) == 0, SystemCalls.isDirectory(status) else {
                throw DiskFailure(ENOTDIR, "mkdir", path).error
            }
            existed = true
        }
        do throws(StorageError) {
            try SystemCalls.syncDirectory(parent)
        } catch {
            // An operator may give us a directory inside one that we may not read; its name is then the operator's to
            // keep.
            if !(existed && error.code == .unusable) { throw error }
        }
    }

    public func syncDirectory(_ path: String) async throws(StorageError) {
        try await pool.run { () throws(StorageError) in try SystemCalls.syncDirectory(path) }
    }

    public func entries(of directory: String) async throws(StorageError) -> [DiskEntry] {
        try await pool.run { () throws(StorageError) in try DirectoryReader.entries(of: directory) }
    }

    // MARK: files

    public func createTemporary(in directory: String) async throws(StorageError) -> any DiskFile {
        try await pool.run { () throws(StorageError) in try self.makeTemporary(in: directory) }
    }

    public func writeSynced(_ content: ByteBuffer, in directory: String) async throws(StorageError) -> any DiskFile {
        try await pool.run { () throws(StorageError) in try self.writeSyncedBlocking(content, in: directory) }
    }

    public func store(_ content: ByteBuffer, in directory: String, at path: String) async throws(StorageError) {
        try await pool.run { () throws(StorageError) in
            let file = try self.writeSyncedBlocking(content, in: directory)
            defer { file.closeBlocking() }
            try file.publish(at: path)
        }
    }

    private func writeSyncedBlocking(_ content: ByteBuffer, in directory: String) throws(StorageError) -> PosixFile {
        let file = try makeTemporary(in: directory)
        do throws(StorageError) {
            try file.writeBlocking(content)
            try file.syncBlocking()
            return file
        } catch {
            file.closeBlocking()
            throw error
        }
    }

    public func read(_ path: String, range: Range<UInt64>) async throws(StorageError) -> ByteBuffer {
        precondition(range.upperBound - range.lowerBound <= UInt64(PosixDisk.maxReadBytes), "one read is bounded")
        guard range.upperBound <= UInt64(Int64.max) else {
            throw StorageError(.integrity, "\(path) cannot have the range \(range): the record that asks for it is damaged")
        }
        return try await pool.run { () throws(StorageError) in
            let file = try self.openRegularFile(path)
            defer { file.closeBlocking() }
            return try file.readBlocking(range)
        }
    }

    public func openFile(_ path: String) async throws(StorageError) -> any DiskFile {
        try await pool.run { () throws(StorageError) in try self.openRegularFile(path) }
    }

    public func publish(_ file: any DiskFile, at path: String) async throws(StorageError) {
        guard let file = file as? PosixFile else { preconditionFailure("a disk publishes its own files only") }
        try await pool.run { () throws(StorageError) in try file.publish(at: path) }
    }

    /// `.outcomeUnknown` when the new content is in place but its name could not be made durable.
    public func replace(_ path: String, with bytes: [UInt8]) async throws(StorageError) {
        try await pool.run { () throws(StorageError) in
            let directory = SystemCalls.parent(of: path)
            let (descriptor, temporary) = try self.openNamedTemporary(in: directory)
            var renamed = false
            defer {
                SystemCalls.close(descriptor)
                // A failure here leaves a hidden file that means nothing.
                if !renamed { _ = unsafe unlink(temporary) }
            }
            let written = unsafe bytes.withUnsafeBytes { source -> Result<Void, StorageError> in
                do throws(StorageError) {
                    return .success(try unsafe SystemCalls.write(source, to: descriptor, at: 0, path: temporary))
                } catch {
                    return .failure(error)
                }
            }
            try written.get()
            try SystemCalls.sync(descriptor, path: temporary)
            guard unsafe rename(temporary, path) == 0 else { throw DiskFailure("rename", path).error }
            renamed = true
            do throws(StorageError) {
                try SystemCalls.syncDirectory(directory)
            } catch {
                throw StorageError(
                    .outcomeUnknown, "\(path) is replaced, but a power cut may bring the old content back", cause: error
                )
            }
        }
    }

    public func readAll(_ path: String, limit: Int) async throws(StorageError) -> [UInt8] {
        precondition((0...Self.maxReadBytes).contains(limit), "a small file has a small limit")
        return try await pool.run { () throws(StorageError) in
            let descriptor = try Self.openForReading(path)
            defer { SystemCalls.close(descriptor) }
            var failure: StorageError?
            // One byte more than allowed, so that too large a file shows even if it grows while it is read.
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit + 1) { room, count in
                do throws(StorageError) {
                    count = try unsafe SystemCalls.read(
                        into: UnsafeMutableRawBufferPointer(room), from: descriptor, at: 0, path: path)
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
            guard bytes.count <= limit else {
                throw StorageError(
                    .integrity, "\(path) is larger than \(limit) bytes, which it must not be; see what wrote it")
            }
            return bytes
        }
    }

    public func link(_ path: String, to newPath: String) async throws(StorageError) {
        try await pool.run { () throws(StorageError) in
            guard unsafe Glibc.link(path, newPath) == 0 else { throw DiskFailure("link", newPath).error }
        }
    }

    public func remove(_ path: String) async throws(StorageError) {
        try await pool.run { () throws(StorageError) in
            guard unsafe unlink(path) != 0 else { return }
            let failure = DiskFailure("unlink", path)
            // A parent that is a file, or missing, means as well that nothing has this name.
            if failure.number != ENOENT && failure.number != ENOTDIR { throw failure.error }
        }
    }

    public func size(of path: String) async throws(StorageError) -> UInt64? {
        try await pool.run { () throws(StorageError) in
            var status = stat()
            guard unsafe lstat(path, &status) == 0 else {
                let failure = DiskFailure("lstat", path)
                if failure.number == ENOENT || failure.number == ENOTDIR { return nil }
                throw failure.error
            }
            return SystemCalls.isRegular(status) ? UInt64(status.st_size) : nil
        }
    }

    /// The permission bits of the regular file at `path`; `.unusable` when it is something else, a symbolic link above
    /// all. For files that must be private.
    public func permissions(of path: String) async throws(StorageError) -> UInt32 {
        try await pool.run { () throws(StorageError) in
            var status = stat()
            guard unsafe lstat(path, &status) == 0 else { throw DiskFailure("lstat", path).error }
            guard SystemCalls.isRegular(status) else { throw DiskFailure(ELOOP, "lstat", path).error }
            return UInt32(status.st_mode) & 0o7777
        }
    }

    public func availableBytes(at path: String) async throws(StorageError) -> UInt64 {
        try await pool.run { () throws(StorageError) in
            var status = statvfs()
            guard unsafe statvfs(path, &status) == 0 else { throw DiskFailure("statvfs", path).error }
            // What an unprivileged process may use, not the blocks that are kept for the superuser.
            return UInt64(status.f_bavail) * UInt64(status.f_frsize)
        }
    }

    // MARK: opening (blocking)

    private func makeTemporary(in directory: String) throws(StorageError) -> PosixFile {
        if !mustNameTemporaries.load(ordering: .relaxed) {
            do throws(DiskFailureError) {
                let descriptor = try SystemCalls.open(directory, SystemCalls.unnamedTemporary | O_RDWR)
                return PosixFile(
                    descriptor: descriptor, path: "\(directory)/(nameless)", temporaryName: nil, pool: pool)
            } catch {
                // Refusals of old kernels and of file systems without nameless files.
                guard [EOPNOTSUPP, EISDIR, EINVAL].contains(error.failure.number) else { throw error.failure.error }
                mustNameTemporaries.store(true, ordering: .relaxed)
            }
        }
        let (descriptor, name) = try openNamedTemporary(in: directory)
        return PosixFile(descriptor: descriptor, path: name, temporaryName: name, pool: pool)
    }

    private func openNamedTemporary(in directory: String) throws(StorageError) -> (descriptor: Int32, path: String) {
        // Names that an earlier process with our number has left are stepped over.
        for attempt in 1...1000 {
            let number = temporaries.add(1, ordering: .relaxed).newValue
            let path = "\(directory)/\(Self.temporaryPrefix)\(getpid())-\(number)"
            do throws(DiskFailureError) {
                return (try SystemCalls.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW), path)
            } catch {
                guard error.failure.number == EEXIST, attempt < 1000 else { throw error.failure.error }
            }
        }
        throw DiskFailure(EEXIST, "open", "\(directory)/\(Self.temporaryPrefix)").error
    }

    private func openRegularFile(_ path: String) throws(StorageError) -> PosixFile {
        PosixFile(descriptor: try Self.openForReading(path), path: path, temporaryName: nil, pool: pool)
    }

    private static func openForReading(_ path: String) throws(StorageError) -> Int32 {
        let descriptor: Int32
        do throws(DiskFailureError) {
            // Not blocking: a named pipe that someone put there must not hold a thread for ever.
            descriptor = try SystemCalls.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        } catch {
            if error.failure.number == ENOTDIR { throw DiskFailure(ENOENT, "open", path).error }
            throw error.failure.error
        }
        do throws(StorageError) {
            guard SystemCalls.isRegular(try SystemCalls.status(of: descriptor, path: path)) else {
                throw StorageError(.notFound, "\(path) is not a regular file")
            }
            return descriptor
        } catch {
            SystemCalls.close(descriptor)
            throw error
        }
    }
}
