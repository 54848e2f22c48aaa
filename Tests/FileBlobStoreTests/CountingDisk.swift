// SPDX-License-Identifier: Apache-2.0

import Storage
import StorageLaws
import Synchronization

/// Counts the directory syncs that reach the disk.
final class CountingDisk: Disk {
    let directorySyncs = Atomic(0)
    /// While true, a sync that has begun does not end.
    let held = Atomic(false)
    private let disk: SimulatedDisk

    init(disk: SimulatedDisk) { self.disk = disk }

    func createDirectory(_ path: String) async throws(StorageError) { try await disk.createDirectory(path) }
    func syncDirectory(_ path: String) async throws(StorageError) {
        directorySyncs.add(1, ordering: .relaxed)
        // A sync takes a while: others arrive meanwhile.
        for _ in 0..<50 { await Task.yield() }
        while held.load(ordering: .relaxed) { await Task.yield() }
        try await disk.syncDirectory(path)
    }
    func createTemporary(in directory: String) async throws(StorageError) -> any DiskFile {
        try await disk.createTemporary(in: directory)
    }
    func openFile(_ path: String) async throws(StorageError) -> any DiskFile { try await disk.openFile(path) }
    func publish(_ file: any DiskFile, at path: String) async throws(StorageError) {
        try await disk.publish(file, at: path)
    }
    func replace(_ path: String, with bytes: [UInt8]) async throws(StorageError) {
        try await disk.replace(path, with: bytes)
    }
    func readAll(_ path: String, limit: Int) async throws(StorageError) -> [UInt8] {
        try await disk.readAll(path, limit: limit)
    }
    func remove(_ path: String) async throws(StorageError) { try await disk.remove(path) }
    func size(of path: String) async throws(StorageError) -> UInt64? { try await disk.size(of: path) }
    func entries(of directory: String) async throws(StorageError) -> [DiskEntry] {
        try await disk.entries(of: directory)
    }
    func availableBytes(at path: String) async throws(StorageError) -> UInt64 {
        try await disk.availableBytes(at: path)
    }
}
