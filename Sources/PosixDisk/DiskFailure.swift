// SPDX-License-Identifier: Apache-2.0

import Glibc
import Storage

/// The `errno` of a failed system call as the error of the contract: who must act, on what, and how.
struct DiskFailure {
    let number: Int32
    let call: StaticString
    let path: String

    /// Takes `errno`: make it the first thing after the failed call.
    init(_ call: StaticString, _ path: String) {
        self.init(errno, call, path)
    }

    init(_ number: Int32, _ call: StaticString, _ path: String) {
        self.number = number
        self.call = call
        self.path = path
    }

    var error: StorageError {
        let (code, remedy) = verdict
        return StorageError(code, "\(call) \(path): \(text) [errno \(number)]; \(remedy)")
    }

    /// The verdict on a failed fsync: whatever the reason, the kernel may have dropped the bytes, and asking again
    /// would hide it.
    var syncError: StorageError {
        switch number {
        case ENOSPC, EDQUOT: error
        default:
            StorageError(
                .integrity,
                "\(call) \(path): \(text) [errno \(number)]; the write is given up; check the disk and the kernel log")
        }
    }

    private var verdict: (StorageError.Code, String) {
        switch number {
        case ENOENT: (.notFound, "nothing is stored there")
        case EEXIST: (.alreadyExists, "the name is taken and stays as it is")
        case ENOSPC: (.noSpace, "free space or add a disk; deletes go on")
        case EDQUOT: (.noSpace, "raise the disk quota of the service user")
        case EMFILE, ENFILE: (.transient, "raise the open file limit (LimitNOFILE) of the service")
        case EAGAIN, EINTR, EBUSY, ENOMEM, ETIMEDOUT: (.transient, "it may work when tried again")
        case EIO, EUCLEAN, EBADMSG:
            (.integrity, "check the disk and the kernel log; restore from a mirror if bytes are lost")
        case EACCES, EPERM: (.unusable, "give the service user the rights to it; the file system must allow hard links")
        case EROFS: (.unusable, "the file system is read-only: check the kernel log, then mount it writable")
        case EXDEV: (.unusable, "the directory must be one file system: remove the mount inside it")
        case ELOOP: (.unusable, "symbolic links are not followed here: put the file itself in place")
        case ENOTDIR, EISDIR, ENOTEMPTY:
            (.unusable, "a file is where a directory must be, or the reverse: see what put it there")
        case ENAMETOOLONG: (.unusable, "use a data directory with a shorter path")
        default: (.unusable, "the system refused; see the errno")
        }
    }

    // glibc answers from static or thread-local memory.
    private var text: String { unsafe String(cString: strerror(number)) }
}
