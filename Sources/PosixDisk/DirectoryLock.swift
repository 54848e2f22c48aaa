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
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
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

    /// Lets others in. Idempotent; also happens with the last reference.
    public func release() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { SystemCalls.close(descriptor) }
            descriptor = -1
        }
    }

    deinit { release() }
}
