// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Storage
import Synchronization

/// One blob on its way into a ``FileBlobStore``.
///
///     open ──write──▶ open ──commit──▶ closed        a failed write or commit: closed, nothing visible
///       └──abandon──▶ closed                         (but `.outcomeUnknown`: perhaps visible)
final class FileBlobWriter: BlobWriter {
    private let store: FileBlobStore
    private let id: BlobID
    private let promise: RoomPromise
    /// Nil once closed.
    private let file: Mutex<(any DiskFile)?>

    init(store: FileBlobStore, id: BlobID, file: any DiskFile, promise: RoomPromise) {
        self.store = store
        self.id = id
        self.promise = promise
        self.file = Mutex(file)
    }

    func write(_ bytes: ByteBuffer) async throws(StorageError) {
        let file = try openFile()
        do throws(StorageError) {
            try await store.room.extend(promise, toHold: bytes.readableBytes, on: store.disk, at: store.root)
            try await file.write(bytes)
            store.room.spend(bytes.readableBytes, of: promise)
        } catch {
            // The file may hold a part of the bytes: nothing after this could make it right.
            await finish()
            throw error
        }
    }

    func commit() async throws(StorageError) {
        let file = try openFile()
        let result: Result<Void, StorageError>
        do throws(StorageError) {
            try await file.sync()
            try await store.publish(file, as: id)
            result = .success(try await store.makeNamesDurable(in: store.directory(of: id)))
        } catch {
            result = .failure(error)
        }
        await finish()
        try result.get()
    }

    func abandon() async { await finish() }

    private func openFile() throws(StorageError) -> any DiskFile {
        guard let file = file.withLock({ $0 }) else {
            throw StorageError(.unusable, "the write of \(id) is over, or a part of it has failed; begin a new one")
        }
        return file
    }

    private func finish() async {
        let file = file.withLock { file in
            defer { file = nil }
            return file
        }
        store.room.settle(promise)
        await file?.close()
    }

    // The file closes itself; the room must be given back as well.
    deinit { store.room.settle(promise) }
}
