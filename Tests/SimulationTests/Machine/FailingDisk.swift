// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Storage
import StorageLaws
import Synchronization

/// A disk of which one call fails, the k-th of those that can fail in this way: before it has done anything, or half done where it writes.
///
/// Composite calls (`store`, `writeSynced`, `read` of a path) fall into their steps, so that each can fail. It keeps a record of what must never
/// happen to a file whose sync has failed: another sync, or a name.
final class FailingDisk: Disk {
    enum Failure: String, CaseIterable {
        case inputOutput = "EIO", noSpace = "ENOSPC", tooManyFiles = "EMFILE", shortWrite = "short write", failedSync = "failed fsync"

        /// As `PosixDisk` tells it.
        var error: StorageError {
            switch self {
            case .inputOutput, .failedSync: StorageError(.integrity, "simulated \(rawValue)")
            case .noSpace, .shortWrite: StorageError(.noSpace, "simulated \(rawValue)")
            case .tooManyFiles: StorageError(.transient, "simulated \(rawValue)")
            }
        }

        /// The calls that can fail so.
        var calls: Set<DiskCall> {
            switch self {
            case .inputOutput: Set(DiskCall.allCases)
            case .noSpace: [.makeDirectory, .create, .publish, .replace, .write, .sync]
            case .tooManyFiles: [.makeDirectory, .syncDirectory, .create, .open, .replace]
            case .shortWrite: [.write, .replace]
            case .failedSync: [.sync, .syncDirectory, .replace, .makeDirectory]
            }
        }
    }

    private struct State {
        /// How many there were of each kind.
        var calls: [DiskCall: Int] = [:]
        var due = 0
        var failedCall: DiskCall?
        var abuses: [String] = []
        var openFiles = 0
    }
    private let inner: any Disk
    private let place: Int
    fileprivate let failure: Failure
    private let state = Mutex(State())

    /// - Parameter place: counted from 0, over the calls that can fail in this way.
    init(_ inner: any Disk, failing place: Int, with failure: Failure) {
        self.inner = inner
        self.place = place
        self.failure = failure
    }

    /// How many calls so far could have failed in this way.
    func calls(failing failure: Failure) -> Int {
        state.withLock { state in failure.calls.reduce(0) { $0 + state.calls[$1, default: 0] } }
    }
    var failedCall: DiskCall? { state.withLock { $0.failedCall } }
    /// What was done to a file that was to be abandoned.
    var abuses: [String] { state.withLock { $0.abuses } }
    var openFiles: Int { state.withLock { $0.openFiles } }

    fileprivate func step(_ call: DiskCall) throws(StorageError) {
        let isDue = state.withLock { state in
            state.calls[call, default: 0] += 1
            guard failure.calls.contains(call) else { return false }
            defer { state.due += 1 }
            guard state.due == place else { return false }
            state.failedCall = call
            return true
        }
        if isDue { throw failure.error }
    }

    fileprivate func note(abuse: String) { state.withLock { $0.abuses.append(abuse) } }
    fileprivate func noteOpenFiles(_ change: Int) { state.withLock { $0.openFiles += change } }

    // MARK: Disk

    func createDirectory(_ path: String) async throws(StorageError) {
        do throws(StorageError) {
            try step(.makeDirectory)
        } catch {
            if failure == .failedSync { try await inner.createDirectory(path) }
            throw error
        }
        try await inner.createDirectory(path)
    }
    func syncDirectory(_ path: String) async throws(StorageError) {
        try step(.syncDirectory)
        try await inner.syncDirectory(path)
    }
    func createTemporary(in directory: String) async throws(StorageError) -> any DiskFile {
        try step(.create)
        return FailingFile(inner: try await inner.createTemporary(in: directory), disk: self)
    }
    func openFile(_ path: String) async throws(StorageError) -> any DiskFile {
        try step(.open)
        return FailingFile(inner: try await inner.openFile(path), disk: self)
    }
    func publish(_ file: any DiskFile, at path: String) async throws(StorageError) {
        guard let file = file as? FailingFile else { preconditionFailure("a disk publishes its own files only") }
        if file.isSuspect { note(abuse: "a file whose sync had failed got the name \(path)") }
        try step(.publish)
        try await inner.publish(file.inner, at: path)
    }
    func replace(_ path: String, with bytes: [UInt8]) async throws(StorageError) {
        do throws(StorageError) {
            try step(.replace)
        } catch {
            // What fails last is the sync of the directory: then the new content is in place.
            guard failure == .failedSync else { throw error }
            try await inner.replace(path, with: bytes)
            throw StorageError(.outcomeUnknown, "simulated \(failure.rawValue)", cause: error)
        }
        try await inner.replace(path, with: bytes)
    }
    func readAll(_ path: String, limit: Int) async throws(StorageError) -> [UInt8] {
        try step(.open)
        return try await inner.readAll(path, limit: limit)
    }
    func link(_ path: String, to newPath: String) async throws(StorageError) {
        try step(.publish)
        try await inner.link(path, to: newPath)
    }
    func remove(_ path: String) async throws(StorageError) {
        try step(.remove)
        try await inner.remove(path)
    }
    func size(of path: String) async throws(StorageError) -> UInt64? {
        try step(.look)
        return try await inner.size(of: path)
    }
    func entries(of directory: String) async throws(StorageError) -> [DiskEntry] {
        try step(.open)
        return try await inner.entries(of: directory)
    }
    func availableBytes(at path: String) async throws(StorageError) -> UInt64 {
        try step(.look)
        return try await inner.availableBytes(at: path)
    }
}

/// An open file of a ``FailingDisk``. One task at a time, hence `@unchecked Sendable`.
private final class FailingFile: DiskFile, @unchecked Sendable {
    let inner: any DiskFile
    private let disk: FailingDisk
    private(set) var isSuspect = false
    private var isOpen = true

    init(inner: any DiskFile, disk: FailingDisk) {
        self.inner = inner
        self.disk = disk
        disk.noteOpenFiles(1)
    }

    deinit { if isOpen { disk.noteOpenFiles(-1) } }

    func write(_ bytes: ByteBuffer) async throws(StorageError) {
        do throws(StorageError) {
            try disk.step(.write)
        } catch {
            if disk.failure == .shortWrite, let half = bytes.getSlice(at: bytes.readerIndex, length: bytes.readableBytes / 2) {
                try await inner.write(half)
            }
            throw error
        }
        try await inner.write(bytes)
    }
    func read(_ range: Range<UInt64>) async throws(StorageError) -> ByteBuffer {
        try disk.step(.read)
        return try await inner.read(range)
    }
    func size() async throws(StorageError) -> UInt64 {
        try disk.step(.look)
        return try await inner.size()
    }
    func sync() async throws(StorageError) {
        if isSuspect { disk.note(abuse: "a file whose sync had failed was synced again") }
        do throws(StorageError) {
            try disk.step(.sync)
            try await inner.sync()
        } catch {
            isSuspect = true
            throw error
        }
    }
    func close() async {
        if isOpen { disk.noteOpenFiles(-1) }
        isOpen = false
        await inner.close()
    }
}
