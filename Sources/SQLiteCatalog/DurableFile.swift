// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif
import Storage

/// The few system calls that SQLite leaves to its host: files that only the owner reads, and names that survive a power
/// cut.
enum DurableFile {
    /// Creates an empty file of mode 0600. False when one of that name exists.
    static func create(_ path: String) throws(StorageError) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor < 0 {
            if errno == EEXIST { return false }
            throw failure("create", path)
        }
        close(descriptor)
        return true
    }

    /// Makes the content of the file, and then its name, durable. After an error neither is known to be: give the file
    /// up.
    static func synchronize(_ path: String) throws(StorageError) {
        try synchronize(path, flags: O_RDONLY)
        try synchronizeDirectory(of: path)
    }

    /// Makes the names in the directory that holds `path` durable.
    static func synchronizeDirectory(of path: String) throws(StorageError) {
        let parent = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        try synchronize(parent, flags: O_RDONLY | O_DIRECTORY)
    }

    /// Zero when there is no such file.
    static func bytes(_ path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    /// Unlinks; succeeds when there is no such name. The directory is not synced.
    static func remove(_ path: String) throws(StorageError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw failure("unlink", path) }
    }

    /// Gives a file a second name, which must be free. The directory is not synced.
    static func link(_ path: String, _ second: String) throws(StorageError) {
        guard Self.linked(path, second) == 0 else {
            if errno == EEXIST {
                throw StorageError(.alreadyExists, "\(second) exists and is not overwritten: move it elsewhere")
            }
            throw failure("link", second)
        }
    }

    static func exists(_ path: String) throws(StorageError) -> Bool {
        var status = stat()
        if stat(path, &status) == 0 { return true }
        guard errno == ENOENT else { throw failure("stat", path) }
        return false
    }

    private static func linked(_ path: String, _ second: String) -> Int32 {
        #if canImport(Glibc)
            Glibc.link(path, second)
        #else
            Darwin.link(path, second)
        #endif
    }

    /// Removes a file that was just created here and never became whole. Losing the error is right: the caller reports
    /// the first one, and a leftover file does no harm but to the next attempt under the same name, which says so.
    static func abandon(_ path: String) { unlink(path) }

    private static func synchronize(_ path: String, flags: Int32) throws(StorageError) {
        let descriptor = open(path, flags | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("fsync", path) }
    }

    private static func failure(_ call: String, _ path: String) -> StorageError {
        let number = errno
        let code: StorageError.Code =
            switch number {
            case ENOSPC, EDQUOT: .noSpace
            case EMFILE, ENFILE, EAGAIN, EINTR: .transient
            case EIO: .integrity
            case ENOENT: .notFound
            default: .unusable
            }
        return StorageError(code, "\(call) \(path): \(String(cString: strerror(number)))")
    }
}
