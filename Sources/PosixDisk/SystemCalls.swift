// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import Storage

/// The system calls of this room with their loops (short transfers, interruption) and their errors. All of them block.
enum SystemCalls {
    /// Interrupted calls are repeated this often before they count as failed; signals do not come in such numbers.
    private static let maxInterruptions = 1000
    /// `O_TMPFILE`, which the C headers hide behind a feature macro.
    static let unnamedTemporary: Int32 = 0o20_000_000 | O_DIRECTORY

    static func open(_ path: String, _ flags: Int32, mode: mode_t = 0o600) throws(DiskFailureError) -> Int32 {
        for _ in 0..<maxInterruptions {
            let descriptor = unsafe Glibc.open(path, flags | O_CLOEXEC, mode)
            if descriptor >= 0 { return descriptor }
            if errno != EINTR { break }
        }
        throw DiskFailureError(DiskFailure("open", path))
    }

    /// The descriptor is gone whatever `close` says, and what matters was synced before: its result tells nothing.
    static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: UInt64, path: String)
        throws(StorageError)
    {
        var done = 0
        var interruptions = 0
        while done < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = unsafe pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            if count > 0 {
                done += count
            } else if count < 0 && errno == EINTR && interruptions < maxInterruptions {
                interruptions += 1
            } else {
                // A write of nothing without an error does not happen on files; if it did, the loop must still end.
                throw (count < 0 ? DiskFailure("pwrite", path) : DiskFailure(EIO, "pwrite", path)).error
            }
        }
    }

    /// Reads until `buffer` is full or the file ends; the count read.
    static func read(
        into buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, at offset: UInt64, path: String
    )
        throws(StorageError) -> Int
    {
        var done = 0
        var interruptions = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            if count > 0 {
                done += count
            } else if count == 0 {
                return done
            } else if errno == EINTR && interruptions < maxInterruptions {
                interruptions += 1
            } else {
                throw DiskFailure("pread", path).error
            }
        }
        return done
    }

    static func sync(_ descriptor: Int32, path: String) throws(StorageError) {
        if fsync(descriptor) != 0 { throw DiskFailure("fsync", path).syncError }
    }

    static func syncDirectory(_ path: String) throws(StorageError) {
        let descriptor: Int32
        do throws(DiskFailureError) {
            descriptor = try open(path, O_RDONLY | O_DIRECTORY)
        } catch {
            throw error.failure.error
        }
        defer { close(descriptor) }
        try sync(descriptor, path: path)
    }

    static func status(of descriptor: Int32, path: String) throws(StorageError) -> stat {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw DiskFailure("fstat", path).error }
        return status
    }

    static func isRegular(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFREG }
    static func isDirectory(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFDIR }

    /// The directory that holds the last component of `path`.
    static func parent(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

/// A failure that the caller may still want to look at before it becomes a ``StorageError``.
struct DiskFailureError: Error {
    let failure: DiskFailure
    init(_ failure: DiskFailure) { self.failure = failure }
}
