// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore

/// What a file system says about a file, as far as it tells whether the file is still the same one.
public struct FileStatus: Sendable, Hashable {
    /// Its length.
    public let bytes: UInt64
    /// Last modification in milliseconds since 1970.
    public let modifiedMilliseconds: Int64

    /// A status as it was noted earlier.
    public init(bytes: UInt64, modifiedMilliseconds: Int64) {
        self.bytes = bytes
        self.modifiedMilliseconds = modifiedMilliseconds
    }
}

/// One open file with positional reads and writes, so that several tasks share it without a common position.
///
/// Every method blocks: call it inside `BlockingPool.run`. The file is closed when the last reference goes.
public final class LocalFile: Sendable {
    /// As it was given; for messages.
    public let path: String
    private let handle: FileHandle

    private init(path: String, handle: FileHandle) {
        self.path = path
        self.handle = handle
    }

    /// Opens an existing regular file.
    public static func openForReading(_ path: String) throws(ClientError) -> LocalFile {
        _ = try status(of: path)
        return LocalFile(
            path: path,
            handle: try wrapping("open", path) { try FileHandle(forReadingFrom: URL(fileURLWithPath: path)) })
    }

    /// Opens a file for reading and writing and creates it when it is absent, readable by its owner alone.
    static func openForWriting(_ path: String) throws(ClientError) -> LocalFile {
        if !FileManager.default.fileExists(atPath: path) {
            guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
            else {
                throw ClientError(.local, "'\(path)' cannot be created: \(String(cString: strerror(errno))).")
            }
        }
        return LocalFile(
            path: path, handle: try wrapping("open", path) { try FileHandle(forUpdating: URL(fileURLWithPath: path)) })
    }

    /// - Throws: ``ClientError`` of kind `local`, also when `path` is not a regular file.
    static func status(of path: String) throws(ClientError) -> FileStatus {
        let attributes = try wrapping("examine", path) {
            try FileManager.default.attributesOfItem(atPath: resolved(path))
        }
        guard attributes[.type] as? FileAttributeType == .typeRegular, let size = attributes[.size] as? NSNumber,
            let modified = attributes[.modificationDate] as? Date
        else { throw ClientError(.local, "'\(path)' is not a regular file.") }
        return FileStatus(
            bytes: size.uint64Value, modifiedMilliseconds: Int64((modified.timeIntervalSince1970 * 1000).rounded()))
    }

    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// The bytes of a small text file; nil when there is none.
    static func contents(of path: String, upTo limit: Int) throws(ClientError) -> [UInt8]? {
        guard exists(path) else { return nil }
        guard try status(of: path).bytes <= UInt64(limit) else {
            throw ClientError(.local, "'\(path)' is larger than \(limit) bytes.")
        }
        return Array(try wrapping("read", path) { try Data(contentsOf: URL(fileURLWithPath: path)) })
    }

    /// The text of a settings file, nil when there is none: what
    /// ``ClientSettings/resolve(flags:environment:readFile:)`` asks for.
    public static func settingsText(_ path: String) throws(ClientError) -> String? {
        try contents(of: path, upTo: INIDocument.maxBytes).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Writes a small file whole: a reader sees the old contents or the new.
    static func replace(_ path: String, with bytes: [UInt8]) throws(ClientError) {
        try wrapping("write", path) {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        }
    }

    /// Removes a file; not being there is success.
    static func remove(_ path: String) throws(ClientError) {
        guard exists(path) else { return }
        try wrapping("remove", path) { try FileManager.default.removeItem(atPath: path) }
    }

    /// Up to `count` bytes from `offset`; fewer only at the end of the file.
    func read(at offset: UInt64, upTo count: Int) throws(ClientError) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(count)
        while buffer.readableBytes < count {
            let position = off_t(clamping: offset + UInt64(buffer.readableBytes))
            let wanted = count - buffer.readableBytes
            let got = buffer.withUnsafeMutableWritableBytes { space in
                pread(handle.fileDescriptor, space.baseAddress, min(wanted, space.count), position)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Self.failure("read", path) }
            if got == 0 { break }
            buffer.moveWriterIndex(forwardBy: got)
        }
        return buffer
    }

    /// Writes all of `bytes` at `offset`.
    func write(_ bytes: ByteBuffer, at offset: UInt64) throws(ClientError) {
        var done = 0
        while done < bytes.readableBytes {
            let put = bytes.withUnsafeReadableBytes { all in
                pwrite(
                    handle.fileDescriptor, all.baseAddress?.advanced(by: done), all.count - done,
                    off_t(clamping: offset) + off_t(done))
            }
            if put < 0, errno == EINTR { continue }
            guard put > 0 else { throw Self.failure("write to", path) }
            done += put
        }
    }

    func truncate(to bytes: UInt64) throws(ClientError) {
        guard ftruncate(handle.fileDescriptor, off_t(clamping: bytes)) == 0 else {
            throw Self.failure("truncate", path)
        }
    }

    /// Keeps other processes that also ask from using the file until it is closed.
    ///
    /// - Returns: false when another process holds it.
    func lock() -> Bool { flock(handle.fileDescriptor, LOCK_EX | LOCK_NB) == 0 }

    /// Durable on return.
    func synchronize() throws(ClientError) {
        guard fsync(handle.fileDescriptor) == 0 else { throw Self.failure("make durable", path) }
    }

    /// Gives a finished file its name; durable on return.
    ///
    /// - Parameter replacing: false refuses when `target` exists, in one step with the renaming.
    static func rename(_ source: String, to target: String, replacing: Bool) throws(ClientError) {
        if !replacing, link(source, target) == 0 {
            guard unlink(source) == 0 else { throw failure("remove", source) }
        } else {
            if !replacing {
                // Some file systems have no links: there, looking first has to do.
                let isUnsupported = [EPERM, EOPNOTSUPP, ENOSYS, EMLINK].contains(errno)
                if !isUnsupported, errno != EEXIST { throw failure("rename to", target) }
                if !isUnsupported || exists(target) { throw ClientError.wouldReplace(target) }
            }
            guard Foundation.rename(source, target) == 0 else { throw failure("rename to", target) }
        }
        let folder = URL(fileURLWithPath: target).deletingLastPathComponent().path
        let directory = try wrapping("open", folder) { try FileHandle(forReadingFrom: URL(fileURLWithPath: folder)) }
        guard fsync(directory.fileDescriptor) == 0 else { throw failure("make durable", folder) }
    }

    private static func resolved(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }

    private static func failure(_ verb: String, _ path: String) -> ClientError {
        let remedy = errno == ENOSPC ? "Free some space; what was downloaded so far is kept." : nil
        return ClientError(.local, "Cannot \(verb) '\(path)': \(String(cString: strerror(errno))).", remedy: remedy)
    }

    private static func wrapping<T>(_ verb: String, _ path: String, _ body: () throws -> T) throws(ClientError) -> T {
        do {
            return try body()
        } catch {
            let reason =
                (error as? CocoaError)?.code == .fileReadNoSuchFile || !exists(path)
                ? "there is no such file" : "\(error.localizedDescription)"
            throw ClientError(.local, "Cannot \(verb) '\(path)': \(reason).")
        }
    }
}

extension ClientError {
    static func wouldReplace(_ path: String) -> ClientError {
        ClientError(
            .local, "'\(path)' exists already.", remedy: "Choose another --output-file, or use --force to replace it.")
    }
}
