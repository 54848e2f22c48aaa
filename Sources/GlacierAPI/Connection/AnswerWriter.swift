// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import Synchronization

/// Writes one answer to its connection, never more than two buffers ahead of the socket.
///
/// Each write is awaited by the next but one: a client that reads slowly slows the producer down, whatever the size of
/// the answer.
final class AnswerWriter: Sendable {
    /// Larger buffers are cut, so that a slow reader's progress can be seen.
    private static let pieceBytes = 256 << 10

    private let channel: any Channel
    private let state = Mutex(State())

    private struct State {
        var lastWrite: EventLoopFuture<Void>?
        var bodyBytes: UInt64 = 0
    }

    init(channel: any Channel) { self.channel = channel }

    /// Bytes of body handed to the connection so far.
    var bodyBytes: UInt64 { state.withLock { $0.bodyBytes } }

    /// Sends the answer; returns when its last byte has left for the socket.
    /// - Throws: the producer's error, or the connection's. The message is then incomplete: the caller must close the
    ///   connection.
    func write(_ head: HTTPResponseHead, payload: Answer.Payload, omitsBody: Bool) async throws {
        switch payload {
        case _ where omitsBody, .none:
            channel.write(HTTPServerResponsePart.head(head), promise: nil)
        case .bytes(let bytes):
            channel.write(HTTPServerResponsePart.head(head), promise: nil)
            channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: bytes))), promise: nil)
            state.withLock { $0.bodyBytes = UInt64(bytes.count) }
        case .stream(let count, let produce):
            try await send(.head(head))
            try await produce { buffer in try await self.send(buffer, of: count) }
            let sent = bodyBytes
            guard sent == count else { throw ShortAnswer(sentBytes: sent, announcedBytes: count) }
        }
        try await channel.writeAndFlush(HTTPServerResponsePart.end(nil)).get()
    }

    private func send(_ buffer: ByteBuffer, of count: UInt64) async throws {
        var rest = buffer
        while let piece = rest.readSlice(length: min(rest.readableBytes, Self.pieceBytes)), piece.readableBytes > 0 {
            let sent = state.withLock { state in
                state.bodyBytes += UInt64(piece.readableBytes)
                return state.bodyBytes
            }
            guard sent <= count else { throw ShortAnswer(sentBytes: sent, announcedBytes: count) }
            try await send(.body(.byteBuffer(piece)))
        }
    }

    private func send(_ part: HTTPServerResponsePart) async throws {
        let write: EventLoopFuture<Void> = channel.writeAndFlush(part)
        let previous = state.withLock { state in
            defer { state.lastWrite = write }
            return state.lastWrite
        }
        try await previous?.get()
    }
}

/// A producer that handed out another number of bytes than it announced: a bug below, noticed before the client could
/// be misled.
struct ShortAnswer: Error, CustomStringConvertible {
    let sentBytes: UInt64
    let announcedBytes: UInt64
    var description: String { "an answer of \(announcedBytes) bytes was produced with \(sentBytes)" }
}
