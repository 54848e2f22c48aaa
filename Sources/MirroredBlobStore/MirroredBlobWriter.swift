// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Storage
import Synchronization

/// One blob on its way to both copies. A mirror that fails in the middle is left out, and owed the blob when it is committed.
final class MirroredBlobWriter: BlobWriter {
    private let id: BlobID
    private let primary: any BlobWriter
    /// Nil when it has failed, or was not there.
    private let mirror: Mutex<(any BlobWriter)?>
    private let link: MirrorLink

    init(id: BlobID, primary: any BlobWriter, mirror: (any BlobWriter)?, link: MirrorLink) {
        self.id = id
        self.primary = primary
        self.mirror = Mutex(mirror)
        self.link = link
    }

    func write(_ bytes: ByteBuffer) async throws(StorageError) {
        async let failure = writeToMirror(bytes)
        let first: Result<Void, StorageError>
        do throws(StorageError) {
            first = .success(try await primary.write(bytes))
        } catch {
            first = .failure(error)
        }
        let second = await failure
        if case .failure(let error) = first {
            await mirror.withLock({ $0 })?.abandon()
            throw error
        }
        if let second, link.policy == .refuse {
            await primary.abandon()
            throw second
        }
    }

    private func writeToMirror(_ bytes: ByteBuffer) async -> StorageError? {
        guard let writer = mirror.withLock({ $0 }) else { return nil }
        do throws(StorageError) {
            try await writer.write(bytes)
            return nil
        } catch {
            link.note(error)
            mirror.withLock { $0 = nil }
            await writer.abandon()
            return error
        }
    }

    /// The first copy, then the mirror: so that a name that the first refuses is on neither.
    func commit() async throws(StorageError) {
        let second = mirror.withLock { $0 }
        do throws(StorageError) {
            try await primary.commit()
        } catch {
            await second?.abandon()
            throw error
        }
        guard let second else { return try await link.missed(writesOf: [id]) }
        let failure: StorageError?
        do throws(StorageError) {
            try await second.commit()
            failure = nil
        } catch {
            failure = error
        }
        guard let failure else { return }
        link.note(failure)
        try await link.missed(writesOf: [id])
    }

    func abandon() async {
        await primary.abandon()
        await mirror.withLock({ $0 })?.abandon()
    }
}
