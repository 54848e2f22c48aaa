// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import NIOCore
import Storage
import Synchronization

/// The SHA-256 of a whole blob, read in pieces of 1 MiB.
struct BlobHash: Sendable {
    private static let pieceBytes: UInt64 = 1 << 20
    let store: any BlobStore
    let compute: BlockingPool

    func digest(of blob: BlobID, bytes: UInt64) async throws -> SHA256Digest {
        let running = RunningHash()
        var position: UInt64 = 0
        while position < bytes {
            let end = min(bytes, position + Self.pieceBytes)
            let piece = try await store.read(blob, range: position..<end)
            await compute.run { running.update(piece) }
            position = end
        }
        return running.digest()
    }
}

/// Hands one hash from thread to thread; used by one task at a time.
private final class RunningHash: Sendable {
    private let hasher = Mutex(SHA256Hasher())

    func update(_ bytes: ByteBuffer) { hasher.withLock { $0.update(bytes.readableBytesSpan) } }
    func digest() -> SHA256Digest { hasher.withLock { $0.finalizeAndReset() } }
}
