// SPDX-License-Identifier: Apache-2.0

import NIOCore
import VaultModel

/// Cuts a request body into frames of exactly 1 MiB (the last may be shorter), whatever sizes the network hands over, and counts it
/// against the declared length. Used by one task.
struct FrameCollector<Body: AsyncSequence> where Body.Element == ByteBuffer {
    private var iterator: Body.AsyncIterator
    private var leftover = ByteBuffer()
    private let declaredBytes: UInt64
    private(set) var receivedBytes: UInt64 = 0
    /// Whether all declared bytes have been handed out. The body may still turn out longer: it is read to its end all the same.
    var isComplete: Bool { receivedBytes == declaredBytes && leftover.readableBytes == 0 }

    init(_ body: Body, declaredBytes: UInt64) {
        iterator = body.makeAsyncIterator()
        self.declaredBytes = declaredBytes
    }

    /// Fills `frame` (emptied first, its memory reused) with the next up to 1 MiB. False when nothing was left.
    mutating func next(into frame: inout ByteBuffer) async throws -> Bool {
        // A small archive gets a small frame; the end of a body that is complete needs none.
        frame.clear(minimumCapacity: Int(min(UInt64(Limits.leafBytes), declaredBytes - receivedBytes + UInt64(leftover.readableBytes))))
        while frame.readableBytes < Limits.leafBytes {
            if leftover.readableBytes == 0 {
                guard let piece = try await iterator.next(isolation: #isolation) else { break }
                receivedBytes += UInt64(piece.readableBytes)
                guard receivedBytes <= declaredBytes else {
                    throw VaultError(
                        .invalidParameter, "The body is longer than its declared length of \(declaredBytes) bytes. Nothing was stored.")
                }
                leftover = piece
            }
            let wanted = min(Limits.leafBytes - frame.readableBytes, leftover.readableBytes)
            if let slice = leftover.readSlice(length: wanted) { frame.writeImmutableBuffer(slice) }
        }
        if frame.readableBytes < Limits.leafBytes, receivedBytes < declaredBytes {
            throw VaultError(
                .invalidParameter,
                "The body ended after \(receivedBytes) of \(declaredBytes) declared bytes. Nothing was stored; send it again.")
        }
        return frame.readableBytes > 0
    }
}
