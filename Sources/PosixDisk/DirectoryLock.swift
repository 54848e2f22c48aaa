// SPDX-License-Identifier: Apache-2.0

public import Execution
import Glibc
public import Storage
import Synchronization

/// Keeps a second process out of a data directory while this one uses it: an exclusive `flock` on its `lock` file.
///
/// The kernel drops the lock with the process, however it ends; the file itself stays and means nothing.
public final class DirectoryLock: Sendable {
    public static let fileName = "lock"
    private let descriptor: Mutex<Int32>

    private init(descriptor: Int32) { self.descriptor = Mutex(descriptor) }

    /// Takes the lock of an existing directory or throws `.unusable` at once when another holder has it. Hold the
    /// result until the end.
    public static func acquire(directory: String, on pool: BlockingPool) async throws(StorageError) -> DirectoryLock {
        try await pool.run { () throws(StorageError) in
            let path = "\(directory)/\(fileName)"
            let descriptor: Int32
            do throws(DiskFailureError) {
                descriptor = try SystemCalls.open(path, O_RDWR | O_CREAT | O_NOFOLLOW)
            } catch {
                throw error.failure.error
            }
            guard take(descriptor) else {
                let failure = DiskFailure("flock", path)
                SystemCalls.close(descriptor)
                guard failure.number == EWOULDBLOCK else { throw failure.error }
                throw StorageError(
                    .unusable,
                    "another coldvault process uses \(directory); stop it first, or use the commands that go through it"
                )
            }
            return DirectoryLock(descriptor: descriptor)
        }
    }

    /// Whether a process holds the lock now. Takes nothing that outlasts the call and writes nothing.
    public static func isHeld(directory: String, on pool: BlockingPool) async throws(StorageError) -> Bool {
        try await pool.run { () throws(StorageError) in
            let path = "\(directory)/\(fileName)"
            let descriptor: Int32
            do throws(DiskFailureError) {
                descriptor = try SystemCalls.open(path, O_RDONLY | O_NOFOLLOW)
            } catch {
                if error.failure.number == ENOENT { return false }
                throw error.failure.error
            }
            defer { SystemCalls.close(descriptor) }
            if flock(descriptor, LOCK_SH | LOCK_NB) == 0 { return false }
            let failure = DiskFailure("flock", path)
            guard failure.number == EWOULDBLOCK else { throw failure.error }
            return true
        }
    }

    /// Tries for a quarter of a second: who asks ``isHeld(directory:on:)`` holds the lock for a moment.
    private static func take(_ descriptor: Int32) -> Bool {
        for attempt in 0..<6 {
            if attempt > 0 { usleep(50_000) }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
            guard errno == EWOULDBLOCK else { return false }
        }
        return false
    }

    /// Lets others in. Idempotent; also happens with the last reference.
    public func release() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { SystemCalls.close(descriptor) }
            descriptor = -1
        }
    }

    deinit { release() }
}
