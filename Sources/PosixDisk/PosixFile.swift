// SPDX-License-Identifier: Apache-2.0

import Execution
import Glibc
import NIOCore
import Storage
import Synchronization

/// An open file of ``PosixDisk``: a descriptor that is closed once, by `close()` or with the last reference.
final class PosixFile: DiskFile {
    /// The path it was opened at or, for a temporary, where it is kept: for messages.
    let path: String
    private let pool: BlockingPool
    /// Held across the calls, which all run on threads of the pool: so a descriptor is never used after another call
    /// closed it.
    private let state: Mutex<State>

    private struct State {
        /// -1 once closed.
        var descriptor: Int32
        var writeOffset: UInt64 = 0
        /// The hidden name of a temporary that is not nameless; removed when the file is closed.
        var temporaryName: String?
        /// A sync has failed: what is on the disk is unknown for ever.
        var suspect = false
    }

    init(descriptor: Int32, path: String, temporaryName: String?, pool: BlockingPool) {
        self.path = path
        self.pool = pool
        state = Mutex(State(descriptor: descriptor, temporaryName: temporaryName))
    }

    func write(_ bytes: ByteBuffer) async throws(StorageError) {
        try await pool.run { () throws(StorageError) in try self.writeBlocking(bytes) }
    }

    /// Blocks, as all verbs of this form: on a thread of the pool only.
    func writeBlocking(_ bytes: ByteBuffer) throws(StorageError) {
        try whileOpen { (state, path) throws(StorageError) in
            let offset = state.writeOffset
            let descriptor = state.descriptor
            let result = unsafe bytes.withUnsafeReadableBytes { source -> Result<Void, StorageError> in
                do throws(StorageError) {
                    return .success(try unsafe SystemCalls.write(source, to: descriptor, at: offset, path: path))
                } catch {
                    return .failure(error)
                }
            }
            try result.get()
            state.writeOffset += UInt64(bytes.readableBytes)
        }
    }

    func read(_ range: Range<UInt64>) async throws(StorageError) -> ByteBuffer {
        precondition(range.upperBound - range.lowerBound <= UInt64(PosixDisk.maxReadBytes), "one read is bounded")
        guard range.upperBound <= UInt64(Int64.max) else {
            throw StorageError(
                .integrity, "\(path) cannot have the range \(range): the record that asks for it is damaged")
        }
        return try await pool.run { () throws(StorageError) in try self.readBlocking(range) }
    }

    func readBlocking(_ range: Range<UInt64>) throws(StorageError) -> ByteBuffer {
        try whileOpen { (state, path) throws(StorageError) in
            let descriptor = state.descriptor
            var buffer = ByteBufferAllocator().buffer(capacity: range.count)
            var failure: StorageError?
            let count = unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: range.count) { room in
                let target = unsafe UnsafeMutableRawBufferPointer(rebasing: room[..<range.count])
                do throws(StorageError) {
                    return try unsafe SystemCalls.read(into: target, from: descriptor, at: range.lowerBound, path: path)
                } catch {
                    failure = error
                    return 0
                }
            }
            if let failure { throw failure }
            guard count == range.count else {
                throw StorageError(
                    .integrity,
                    "\(path) ends at byte \(range.lowerBound + UInt64(count)), before the end of the range \(range); it was cut short "
                        + "or never was that long: restore it from a mirror")
            }
            return buffer
        }
    }

    func size() async throws(StorageError) -> UInt64 {
        try await onPool { (state, path) throws(StorageError) in
            UInt64(try SystemCalls.status(of: state.descriptor, path: path).st_size)
        }
    }

    func sync() async throws(StorageError) {
        try await pool.run { () throws(StorageError) in try self.syncBlocking() }
    }

    func syncBlocking() throws(StorageError) {
        try whileOpen { (state, path) throws(StorageError) in
            guard !state.suspect else {
                throw StorageError(.integrity, "fsync of \(path) has failed before; the write must be given up")
            }
            do throws(StorageError) {
                try SystemCalls.sync(state.descriptor, path: path)
            } catch {
                state.suspect = true
                throw error
            }
        }
    }

    func close() async {
        await pool.run { self.closeBlocking() }
    }

    func closeBlocking() { state.withLock { Self.close(&$0) } }

    /// Links the file to `path`. Blocks: on a thread of the pool only.
    func publish(at target: String) throws(StorageError) {
        let failure = state.withLock { state -> StorageError? in
            guard state.descriptor >= 0 else { return Self.closed(path) }
            guard !state.suspect else {
                return StorageError(.integrity, "\(path) could not be synced and must not be published")
            }
            let result =
                if let name = state.temporaryName {
                    unsafe link(name, target)
                } else {
                    unsafe linkat(AT_FDCWD, "/proc/self/fd/\(state.descriptor)", AT_FDCWD, target, AT_SYMLINK_FOLLOW)
                }
            guard result == 0 else { return DiskFailure("link", target).error }
            if let name = state.temporaryName {
                // Failing leaves a second, hidden name, which the next start removes.
                _ = unsafe unlink(name)
                state.temporaryName = nil
            }
            return nil
        }
        if let failure { throw failure }
    }

    private func onPool<T: Sendable>(
        _ body: @Sendable @escaping (inout State, String) throws(StorageError) -> T
    ) async throws(StorageError) -> T {
        try await pool.run { () throws(StorageError) -> T in try self.whileOpen(body) }
    }

    private func whileOpen<T>(_ body: (inout State, String) throws(StorageError) -> T) throws(StorageError) -> T {
        let result = state.withLock { state -> Result<T, StorageError> in
            guard state.descriptor >= 0 else { return .failure(Self.closed(path)) }
            do throws(StorageError) {
                return .success(try body(&state, path))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func closed(_ path: String) -> StorageError {
        StorageError(.unusable, "\(path) is closed already; this is a bug: report it")
    }

    private static func close(_ state: inout State) {
        guard state.descriptor >= 0 else { return }
        SystemCalls.close(state.descriptor)
        state.descriptor = -1
        if let name = state.temporaryName {
            // Nothing depends on its going now; the next start removes what is left.
            _ = unsafe unlink(name)
            state.temporaryName = nil
        }
    }

    deinit { state.withLock { Self.close(&$0) } }
}
