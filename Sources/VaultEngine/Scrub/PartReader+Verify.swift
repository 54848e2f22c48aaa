// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import NIOCore
import SealedArchive
import Storage
import Synchronization

extension PartReader {
    /// Reads every byte of the blob once, from this reader's store: each chunk's seal, each leaf hash, and the hash of the whole ciphertext,
    /// which alone could be checked where the service cannot open the data key. Slices of a frame, with rests between them.
    func verifyWhole(ciphertext expected: SHA256Digest, pace: ScrubPace) async throws {
        let hash = RunningHash()
        // Bytes before it have been hashed. Frames follow each other, but chunks at their borders belong to two of them.
        var position: UInt64 = 0
        let prefix = min(source.blobBytes, UInt64(PartFormat.prefixBytes))
        try await absorb(0..<prefix, hash, pace)
        position = prefix
        for entry in entries {
            let range = opener.frameReadRange(entry)
            let bytes = try await store.read(source.blob, range: range)
            let (opener, known) = (opener, Int(min(max(position, range.lowerBound), range.upperBound) - range.lowerBound))
            let computed = try await compute.run {
                try pace.measure {
                    let span = bytes.readableBytesSpan
                    hash.update(span.extracting(known..<span.byteCount))
                    var content = ByteBufferAllocator().buffer(capacity: entry.contentBytes)
                    try content.writeWithUnsafeMutableBytes(minimumWritableBytes: entry.contentBytes) { out in
                        try opener.openFrame(entry, ciphertext: span, into: out)
                    }
                }
            }
            position = max(position, range.upperBound)
            try await pace.rest(bytes: UInt64(bytes.readableBytes), computed: computed)
        }
        try await absorb(position..<source.blobBytes, hash, pace)
        guard hash.finish() == expected else { throw FormatError.malformed("ciphertext hash of a part") }
    }

    /// Bytes that hold no frame: only hashed.
    private func absorb(_ range: Range<UInt64>, _ hash: RunningHash, _ pace: ScrubPace) async throws {
        var position = range.lowerBound
        while position < range.upperBound {
            let next = min(range.upperBound, position + UInt64(PartFormat.frameBytes))
            let bytes = try await store.read(source.blob, range: position..<next)
            let computed = await compute.run { pace.measure { hash.update(bytes.readableBytesSpan) } }
            try await pace.rest(bytes: next - position, computed: computed)
            position = next
        }
    }
}

/// A hash that is carried from slice to slice of the compute pool.
private final class RunningHash: Sendable {
    private let hasher = Mutex(SHA256Hasher())

    func update(_ bytes: RawSpan) { hasher.withLock { $0.update(bytes) } }
    func finish() -> SHA256Digest { hasher.withLock { $0.finalizeAndReset() } }
}
