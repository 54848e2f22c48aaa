// SPDX-License-Identifier: Apache-2.0

public import Execution
import Glibc
public import Storage

/// A file of allocated blocks that is cut to nothing when the disk is full, and made again later.
public final class PreallocatedReserve: SpaceReserve {
    private let path: String
    private let bytes: UInt64
    /// Free room that must be there before the reserve takes its own.
    private let margin: UInt64
    private let pool: BlockingPool

    /// - Parameters:
    ///   - path: of the file, on the file system whose room it guards.
    ///   - bytes: how much room to set aside.
    ///   - margin: free bytes that must remain besides.
    public init(path: String, bytes: UInt64, margin: UInt64, pool: BlockingPool) {
        self.path = path
        self.bytes = bytes
        self.margin = margin
        self.pool = pool
    }

    public func release() async -> Bool {
        let path = path
        return await pool.run {
            var status = stat()
            guard unsafe lstat(path, &status) == 0, status.st_size > 0 else { return false }
            return unsafe truncate(path, 0) == 0
        }
    }

    public func restore() async {
        let (path, bytes, margin) = (path, bytes, margin)
        await pool.run {
            var status = stat()
            if unsafe lstat(path, &status) == 0, status.st_size >= off_t(bytes) { return }
            // A descriptor that cannot be had, or room that is not there, only leaves the reserve for a later round.
            guard let descriptor = try? SystemCalls.open(path, O_RDWR | O_CREAT | O_NOFOLLOW) else { return }
            defer { SystemCalls.close(descriptor) }
            var room = statvfs()
            guard unsafe fstatvfs(descriptor, &room) == 0, UInt64(room.f_bavail) * UInt64(room.f_frsize) > bytes + margin else { return }
            if posix_fallocate(descriptor, 0, off_t(bytes)) != 0 { _ = ftruncate(descriptor, 0) }
        }
    }
}
