// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import Synchronization
import VaultModel

/// The body of one request as it arrives: bounded buffers, with backpressure to the client's socket.
///
/// 1. The first `next()` sends `100 Continue` when the client waits for it: whoever judges the head before reading the
///    body thereby decides whether the client sends it.
/// 2. Before the first `next()` no more of it is read from the socket than came with the head.
/// 3. It ends normally only after exactly the declared number of bytes; every other end throws `VaultError`.
/// 4. A second iteration goes on where the first one stopped.
final class RequestBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    /// What Content-Length says; nil without one.
    let declaredBytes: UInt64?
    /// Sent with `Transfer-Encoding: chunked`.
    let isChunked: Bool
    private let parts: InboundParts
    private let want: @Sendable () -> Void
    private let sendContinue: @Sendable () async throws -> Void
    private let progress: Mutex<Progress>

    struct Progress {
        var receivedBytes: UInt64 = 0
        var isFinished = false
        var hasFailed = false
        var isContinuePending: Bool
        var isWanted = false
    }

    init(
        head: HTTPRequestHead, parts: InboundParts, want: @escaping @Sendable () -> Void = {},
        sendContinue: @escaping @Sendable () async throws -> Void
    ) {
        self.want = want
        // The decoder has checked that it is one number of 64 bits.
        declaredBytes = head.headers.first(name: "content-length").map { UInt64($0) ?? .max }
        isChunked = head.headers.contains(name: "transfer-encoding")
        self.parts = parts
        self.sendContinue = sendContinue
        progress = Mutex(Progress(isContinuePending: head.expectsContinue))
    }

    /// Whether the client announced any byte.
    var isPresent: Bool { isChunked || (declaredBytes ?? 0) > 0 }
    var receivedBytes: UInt64 { progress.withLock { $0.receivedBytes } }

    /// Whether the rest is known to be at most `limit` bytes that the client sends without being asked.
    func canBeDrained(limit: UInt64) -> Bool {
        progress.withLock { progress in
            if progress.isFinished { return true }
            guard !progress.hasFailed, !isChunked else { return false }
            let rest = (declaredBytes ?? 0) - Swift.min(progress.receivedBytes, declaredBytes ?? 0)
            return rest <= limit && (rest == 0 || !progress.isContinuePending)
        }
    }

    /// Reads the rest and throws it away.
    func drain() async throws {
        // Nothing is owed to a client whose body nobody wanted.
        progress.withLock { $0.isContinuePending = false }
        while try await next() != nil {}
    }

    /// The whole body, if it has at most `limit` bytes.
    /// - Throws: `VaultError` with `.serialization` beyond the limit, before reading when Content-Length says so.
    func collect(upTo limit: Int) async throws -> [UInt8] {
        let tooLarge = VaultError(.serialization, "The request body is larger than \(limit) bytes.")
        guard isPresent else { return [] }
        guard (declaredBytes ?? 0) <= UInt64(limit) else { throw tooLarge }
        var bytes: [UInt8] = []
        while let buffer = try await next() {
            guard bytes.count + buffer.readableBytes <= limit else { throw tooLarge }
            bytes.append(contentsOf: buffer.readableBytesView)
        }
        return bytes
    }

    func makeAsyncIterator() -> Iterator { Iterator(body: self) }

    struct Iterator: AsyncIteratorProtocol {
        let body: RequestBody
        mutating func next() async throws -> ByteBuffer? { try await body.next() }
    }

    private func next() async throws -> ByteBuffer? {
        let (isContinueDue, isFirst) = progress.withLock { progress in
            defer {
                progress.isContinuePending = false
                progress.isWanted = true
            }
            return (progress.isContinuePending, !progress.isWanted)
        }
        if isFirst { want() }
        if progress.withLock({ $0.isFinished }) { return nil }
        do {
            if isContinueDue { try await sendContinue() }
            return try received(try await parts.next())
        } catch {
            progress.withLock { $0.hasFailed = true }
            throw explained(error)
        }
    }

    private func received(_ part: HTTPServerRequestPart?) throws -> ByteBuffer? {
        switch part {
        case .body(let buffer):
            let total = progress.withLock { progress in
                progress.receivedBytes += UInt64(buffer.readableBytes)
                return progress.receivedBytes
            }
            if let declaredBytes, total > declaredBytes { throw lengthDiffers(total) }
            return buffer
        case .end:
            let total = progress.withLock { progress in
                progress.isFinished = true
                return progress.receivedBytes
            }
            if let declaredBytes, total != declaredBytes { throw lengthDiffers(total) }
            return nil
        case .head, nil:
            throw lengthDiffers(receivedBytes)
        }
    }

    private func lengthDiffers(_ total: UInt64) -> VaultError {
        let expected = declaredBytes.map { "\($0)" } ?? "its last chunk"
        return VaultError(
            .invalidParameter, "The request body ended after \(total) bytes instead of \(expected).")
    }

    private func explained(_ error: any Error) -> VaultError {
        switch error {
        case let error as VaultError: error
        case let error as HTTPParserError:
            VaultError(.serialization, "The request body is not well-formed HTTP.", cause: error)
        case is CancellationError:
            VaultError(.unavailable, "The service is stopping. Please try again.", cause: error)
        default:
            VaultError(
                .invalidParameter, "The connection was lost after \(receivedBytes) bytes of the body.", cause: error)
        }
    }
}
