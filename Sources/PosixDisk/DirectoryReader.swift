// SPDX-License-Identifier: Apache-2.0

import Glibc
import Storage

/// Reads a directory whole: regular files with their sizes, and directories; everything else in it is not ours and left
/// out.
enum DirectoryReader {
    /// More entries than this in one directory are refused rather than held in memory.
    static let maxEntries = 1_000_000

    /// Sorted by the bytes of the names; empty when there is no such directory. Blocks.
    static func entries(of directory: String) throws(StorageError) -> [DiskEntry] {
        guard let stream = unsafe opendir(directory) else {
            let failure = DiskFailure("opendir", directory)
            if failure.number == ENOENT || failure.number == ENOTDIR { return [] }
            throw failure.error
        }
        defer { _ = unsafe closedir(stream) }
        var entries: [DiskEntry] = []
        while true {
            errno = 0
            guard let record = unsafe readdir(stream) else {
                if errno != 0 { throw DiskFailure("readdir", directory).error }
                break
            }
            let name = unsafe withUnsafePointer(to: &record.pointee.d_name) { field in
                unsafe field.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) {
                    unsafe String(cString: $0)
                }
            }
            if name == "." || name == ".." { continue }
            guard
                let entry = try unsafe describe(name, type: Int32(record.pointee.d_type), in: dirfd(stream), directory)
            else { continue }
            guard entries.count < maxEntries else {
                throw StorageError(.unusable, "\(directory) holds more than \(maxEntries) names; see what fills it")
            }
            entries.append(entry)
        }
        entries.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        return entries
    }

    private static func describe(_ name: String, type: Int32, in descriptor: Int32, _ directory: String)
        throws(StorageError)
        -> DiskEntry?
    {
        if type == Int32(DT_DIR) { return DiskEntry(name: name, isDirectory: true, bytes: 0) }
        guard type == Int32(DT_REG) || type == Int32(DT_UNKNOWN) else { return nil }
        var status = stat()
        guard unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            let failure = DiskFailure("fstatat", "\(directory)/\(name)")
            // Removed since its name was read.
            if failure.number == ENOENT { return nil }
            throw failure.error
        }
        if SystemCalls.isDirectory(status) { return DiskEntry(name: name, isDirectory: true, bytes: 0) }
        return SystemCalls.isRegular(status)
            ? DiskEntry(name: name, isDirectory: false, bytes: UInt64(status.st_size)) : nil
    }
}
