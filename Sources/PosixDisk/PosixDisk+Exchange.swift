// SPDX-License-Identifier: Apache-2.0

import Execution
import Glibc
public import Storage

extension PosixDisk {
    /// Puts the finished, synchronised file `path` in the place of `target` in one step, and keeps what was there under the name `old`.
    ///
    /// At any moment `target` is one of the two, whole. Durable on return. All three lie in one directory. After a crash in between, doing
    /// it again is right: an `old` that is `target` itself is taken for done.
    /// - Throws: `.alreadyExists` when `old` is the name of another file; then nothing was changed.
    public func exchange(_ path: String, for target: String, keeping old: String) async throws(StorageError) {
        try await pool.run { () throws(StorageError) in
            if unsafe Glibc.link(target, old) != 0 {
                let failure = DiskFailure("link", old)
                switch failure.number {
                // Nothing to keep.
                case ENOENT: break
                case EEXIST where Self.isSameFile(target, old): break
                default: throw failure.error
                }
            }
            let directory = SystemCalls.parent(of: target)
            // The old name must be durable before the other one can be.
            try SystemCalls.syncDirectory(directory)
            guard unsafe rename(path, target) == 0 else { throw DiskFailure("rename", target).error }
            try SystemCalls.syncDirectory(directory)
        }
    }

    private static func isSameFile(_ first: String, _ second: String) -> Bool {
        var (one, other) = (stat(), stat())
        guard unsafe lstat(first, &one) == 0, unsafe lstat(second, &other) == 0 else { return false }
        return one.st_dev == other.st_dev && one.st_ino == other.st_ino
    }
}
