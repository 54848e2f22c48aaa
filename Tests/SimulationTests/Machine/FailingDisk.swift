// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Storage
import Synchronization

/// A real disk of which one call fails, the k-th: before it has done anything, or half done where it writes. A file whose sync has failed
/// must never be synced again; whoever does it is noted.
final class FailingDisk: Disk {
    /// What the system says, and how it is told to the engine.
    enum Failure: String, CaseIterable {
        case inputOutput = "EIO", noSpace = "ENOSPC", tooManyFiles = "EMFILE", shortWrite = "short write", failedSync = "failed fsync"

        var error: StorageError {
            switch self {
            case .inputOutput, .failedSync: StorageError(.integrity, "simulated \(rawValue)")
            case .noSpace, .shortWrite: StorageError(.noSpace, "simulated \(rawValue)")
            case .tooManyFiles: StorageError(.transient, "simulated \(rawValue)")
            }
        }
    }

    private struct State {
        var calls = 0
        var hasFailed = false
        var syncedAgain = 0
    }
    private let inner: any Disk
    private let failing: Int
    private let failure: Failure
    private let state = Mutex(State())

    init(_ inner: any Disk, failing: Int, with failure: Failure) {
        self.inner = inner
        self.failing = failing
        self.failure = failure
    }

    var calls: Int { state.withLock { $0.calls } }
    var hasFailed: Bool { state.withLock { $0.hasFailed } }
    var syncedAgain: Int { state.withLock { $0.syncedAgain } }

    /// Counts a call and throws when it is the one; a short write and a failed sync wait for the next call of their kind.
    fileprivate func step(_ isKind: (Failure) -> Bool = { $0 != .shortWrite && $0 != .failedSync }) throws(StorageError) {
        let isDue = state.withLock { state in
            defer { state.calls += 1 }
            guard state.calls >= failing, !state.hasFailed, isKind(failure) else { return false }
            state.hasFailed = true
            return true
        }
        if isDue { throw failure.error }
    }

    fileprivate func noteSecondSync() { state.withLock { $0.syncedAgain += 1 } }

    func createDirectory(_ path: String) async throws(StorageError) {
        try step()
        try await inner.createDirectory(path)
    }
    func syncDirectory(_ path: String) async throws(StorageError) {
        try step { $0 != .shortWrite }
        try await inner.syncDirectory(path)
    }
    func createTemporary(in directory: String) async throws(StorageError) -> any DiskFile {
        try step()
        return FailingFile(inner: try await inner.createTemporary(in: directory), disk: self)
    }
    func openFile(_ path: String) async throws(StorageError) -> any DiskFile {
        try step()
        return FailingFile(inner: try await inner.openFile(path), disk: self)
    }
    func publish(_ file: any DiskFile, at path: String) async throws(StorageError) {
        try step()
        guard let file = file as? FailingFile else { throw StorageError(.unusable, "a file of another disk") }
        try await inner.publish(file.inner, at: path)
    }
    func replace(_ path: String, with bytes: [UInt8]) async throws(StorageError) {
        try step { _ in true }
        try await inner.replace(path, with: bytes)
    }
    func readAll(_ path: String, limit: Int) async throws(StorageError) -> [UInt8] {
        try step()
        return try await inner.readAll(path, limit: limit)
    }
    func remove(_ path: String) async throws(StorageError) {
        try step()
        try await inner.remove(path)
    }
    func size(of path: String) async throws(StorageError) -> UInt64? {
        try step()
        return try await inner.size(of: path)
    }
    func entries(of directory: String) async throws(StorageError) -> [DiskEntry] {
        try step()
        return try await inner.entries(of: directory)
    }
    func availableBytes(at path: String) async throws(StorageError) -> UInt64 {
        try step()
        return try await inner.availableBytes(at: path)
    }

    /// One open file of it. One task at a time.
    final class FailingFile: DiskFile, @unchecked Sendable {
        let inner: any DiskFile
        private let disk: FailingDisk
        private var isSuspect = false

        init(inner: any DiskFile, disk: FailingDisk) {
            self.inner = inner
            self.disk = disk
        }

        func write(_ bytes: ByteBuffer) async throws(StorageError) {
            do throws(StorageError) {
                try disk.step { $0 != .failedSync }
            } catch {
                // Half of it arrives.
                if disk.failure == .shortWrite, let half = bytes.getSlice(at: bytes.readerIndex, length: bytes.readableBytes / 2) {
                    try await inner.write(half)
                }
                throw error
            }
            try await inner.write(bytes)
        }
        func read(_ range: Range<UInt64>) async throws(StorageError) -> ByteBuffer {
            try disk.step()
            return try await inner.read(range)
        }
        func size() async throws(StorageError) -> UInt64 {
            try disk.step()
            return try await inner.size()
        }
        func sync() async throws(StorageError) {
            if isSuspect { disk.noteSecondSync() }
            do throws(StorageError) {
                try disk.step { $0 != .shortWrite }
            } catch {
                isSuspect = true
                throw error
            }
            try await inner.sync()
        }
        func close() async { await inner.close() }
    }
}
