// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Storage

extension FileBlobStore {
    /// Writes each of `contents` to a file of its own and syncs it, a bounded number at a time; the files in the given
    /// order, open.
    /// When one fails, all are closed.
    func writeSynced(_ contents: [ByteBuffer], _ promise: RoomPromise) async throws(StorageError) -> [any DiskFile] {
        var files = [(any DiskFile)?](repeating: nil, count: contents.count)
        var failure: StorageError?
        await withTaskGroup(of: (Int, Result<any DiskFile, StorageError>).self) { group in
            var next = 0
            func startOne() {
                guard failure == nil, next < contents.count else { return }
                let index = next
                next += 1
                group.addTask {
                    do throws(StorageError) {
                        return (index, .success(try await self.writeSynced(contents[index], promise)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            for _ in 0..<Self.concurrentWritesPerPut { startOne() }
            while let (index, result) = await group.next() {
                switch result {
                case .success(let file): files[index] = file
                case .failure(let error): failure = failure ?? error
                }
                startOne()
            }
        }
        let written = files.compactMap(\.self)
        guard let failure else { return written }
        for file in written { await file.close() }
        throw failure
    }

    private func writeSynced(_ content: ByteBuffer, _ promise: RoomPromise) async throws(StorageError) -> any DiskFile {
        try await directories.ensure(incoming, on: disk)
        let file = try await disk.writeSynced(content, in: incoming)
        room.spend(content.readableBytes, of: promise)
        return file
    }
}
