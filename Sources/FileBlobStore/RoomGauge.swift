// SPDX-License-Identifier: Apache-2.0

import Storage
import Synchronization

/// Bytes that a write may still put on the disk; settled once.
final class RoomPromise: Sendable {
    fileprivate let remainingBytes: Mutex<UInt64?>
    fileprivate init(bytes: UInt64) { remainingBytes = Mutex(bytes) }
}

/// Decides whether there is room for a write, without asking the file system each time.
///
/// Room = free bytes when last asked − bytes written since − bytes promised to open writes − reserve. It is asked again
/// after ``refreshBytes`` or ``refreshPromises``, and always before a write is refused.
final class RoomGauge: Sendable {
    static let refreshBytes: UInt64 = 64 << 20
    static let refreshPromises = 64
    /// What a file costs besides its bytes: its last block, its inode, its name.
    static let fileOverheadBytes: UInt64 = 8192

    private let reserveBytes: UInt64
    private let state = Mutex(State())

    private struct State {
        var freeBytes: UInt64 = 0
        var spentBytes: UInt64 = 0
        var promisedBytes: UInt64 = 0
        var promisesLeft = 0

        mutating func grant(_ bytes: UInt64, reserve: UInt64) -> Bool {
            let needed = [spentBytes, promisedBytes, reserve].reduce(bytes) { $0.addingSaturating($1) }
            guard needed <= freeBytes else { return false }
            promisedBytes += bytes
            return true
        }
    }

    init(reserveBytes: UInt64) { self.reserveBytes = reserveBytes }

    /// Sets `bytes` aside or throws `.noSpace`.
    func promise(bytes: UInt64, on disk: any Disk, at root: String, _ directories: KnownDirectories)
        async throws(StorageError)
        -> RoomPromise
    {
        try await directories.ensure(root, on: disk)
        let bytes = bytes.addingSaturating(Self.fileOverheadBytes)
        let granted = state.withLock { state in
            guard state.promisesLeft > 0, state.spentBytes < Self.refreshBytes else { return false }
            state.promisesLeft -= 1
            return state.grant(bytes, reserve: reserveBytes)
        }
        if !granted { try await refreshAndGrant(bytes, on: disk, at: root) }
        return RoomPromise(bytes: bytes)
    }

    /// Makes sure that `promise` covers `count` more bytes: for a write that grows beyond what it announced.
    func extend(_ promise: RoomPromise, toHold count: Int, on disk: any Disk, at root: String)
        async throws(StorageError)
    {
        let missing = promise.remainingBytes.withLock { remaining in
            UInt64(count) > (remaining ?? 0) ? UInt64(count) - (remaining ?? 0) : 0
        }
        guard missing > 0 else { return }
        if !state.withLock({ $0.spentBytes < Self.refreshBytes && $0.grant(missing, reserve: reserveBytes) }) {
            try await refreshAndGrant(missing, on: disk, at: root)
        }
        promise.remainingBytes.withLock { $0 = ($0 ?? 0) + missing }
    }

    /// `count` bytes of the promise are on the disk now.
    func spend(_ count: Int, of promise: RoomPromise) {
        let spent = promise.remainingBytes.withLock { remaining -> UInt64 in
            guard let left = remaining else { return 0 }
            let spent = min(left, UInt64(count))
            remaining = left - spent
            return spent
        }
        state.withLock { state in
            state.promisedBytes -= spent
            state.spentBytes += UInt64(count)
        }
    }

    /// The write is over: what it did not use is free again. Idempotent.
    func settle(_ promise: RoomPromise) {
        let left = promise.remainingBytes.withLock { remaining -> UInt64 in
            defer { remaining = nil }
            return remaining ?? 0
        }
        state.withLock { $0.promisedBytes -= left }
    }

    func availableBytes(on disk: any Disk, at root: String, _ directories: KnownDirectories) async throws(StorageError)
        -> UInt64
    {
        try await directories.ensure(root, on: disk)
        let free = try await disk.availableBytes(at: root)
        let taken = state.withLock { $0.promisedBytes }.addingSaturating(reserveBytes)
        return free > taken ? free - taken : 0
    }

    private func refreshAndGrant(_ bytes: UInt64, on disk: any Disk, at root: String) async throws(StorageError) {
        let free = try await disk.availableBytes(at: root)
        let granted = state.withLock { state in
            state.freeBytes = free
            state.spentBytes = 0
            state.promisesLeft = Self.refreshPromises
            return state.grant(bytes, reserve: reserveBytes)
        }
        guard granted else {
            throw StorageError(
                .noSpace,
                "no room for \(bytes) bytes at \(root): \(free) are free, of which \(reserveBytes) are the reserve and some belong to "
                    + "writes under way; delete archives or add disk space")
        }
    }
}

extension UInt64 {
    fileprivate func addingSaturating(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
