// SPDX-License-Identifier: Apache-2.0

import Foundation
import Messaging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing
import VaultModel

@testable import MessageDelivery

/// The clock of the machine.
struct RealClock: TimeSource {
    func now() -> Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
    func monotonic() -> Duration { .nanoseconds(Int64(clamping: NIODeadline.now().uptimeNanoseconds)) }
    func sleep(for duration: Duration) async throws { try await Task.sleep(for: duration) }
}

extension TopicMessage {
    static func example(body: String = #"{"Action":"ArchiveRetrieval","JobId":"j"}"#, number: UInt64 = 1) throws
        -> TopicMessage
    {
        TopicMessage(
            id: MessageUID(words: UIDWords(high: 0x0011_2233_4455_6677, low: number)),
            topic: try #require(TopicARN("arn:aws:sns:us-east-1:123456789012:ready")),
            subject: "ArchiveRetrievalCompleted", body: body,
            created: Timestamp(milliseconds: 1_767_323_045_678))
    }
}

let exampleSecret = (0..<32).map { UInt8($0) }

/// What became of a delivery.
func failure(_ body: () async throws(DeliveryFailure) -> Void) async -> DeliveryFailure? {
    do throws(DeliveryFailure) {
        try await body()
        return nil
    } catch {
        return error
    }
}

/// A real HTTP server on the loopback interface that answers as a test tells it.
final class LoopbackServer: Sendable {
    struct Request: Sendable {
        let head: HTTPRequestHead
        let body: [UInt8]
    }

    enum Answer: Sendable {
        case status(Int, headers: [(String, String)] = [], body: String = "")
        /// Never.
        case silence
        /// A head, and then a body without end, as fast as it is taken.
        case flood(Int)
        /// A head that promises a body, and then nothing.
        case stall(Int)
        /// The connection is closed.
        case hangUp
    }

    private struct State {
        var requests: [Request] = []
        var answer: Answer
        var sentBytes = 0
        var connections = 0
    }
    private let state: Mutex<State>
    private let channel: Mutex<(any Channel)?>

    var requests: [Request] { state.withLock { $0.requests } }
    var sentBytes: Int { state.withLock { $0.sentBytes } }
    var connections: Int { state.withLock { $0.connections } }
    var port: Int { channel.withLock { $0?.localAddress?.port } ?? 0 }
    func url(_ path: String = "/hook") -> String { "http://127.0.0.1:\(port)\(path)" }

    private init(_ answer: Answer) {
        state = Mutex(State(answer: answer))
        channel = Mutex(nil)
    }

    static func running<R>(_ answer: Answer, _ body: (LoopbackServer) async throws -> R) async throws -> R {
        let server = LoopbackServer(answer)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                server.state.withLock { $0.connections += 1 }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Answering(server))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        server.channel.withLock { $0 = channel }
        do {
            let result = try await body(server)
            try await channel.close()
            return result
        } catch {
            try await channel.close()
            throw error
        }
    }

    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let server: LoopbackServer
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(_ server: LoopbackServer) { self.server = server }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): self.head = head
            case .body(let bytes): body += bytes.readableBytesView
            case .end:
                guard let head else { return }
                let request = Request(head: head, body: body)
                body = []
                let answer = server.state.withLock { state in
                    state.requests.append(request)
                    return state.answer
                }
                send(answer, context: context)
            }
        }

        private func send(_ answer: Answer, context: ChannelHandlerContext) {
            switch answer {
            case .silence: break
            case .hangUp: context.close(promise: nil)
            case .status(let status, let headers, let body):
                var fields = HTTPHeaders(headers)
                fields.replaceOrAdd(name: "content-length", value: "\(body.utf8.count)")
                write(head: status, fields, context: context)
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            case .stall(let status):
                write(head: status, ["content-length": "10"], context: context)
                context.flush()
            case .flood(let status):
                write(head: status, ["content-length": "1000000000000"], context: context)
                flood(context: context)
            }
        }

        private func write(head status: Int, _ headers: HTTPHeaders, context: ChannelHandlerContext) {
            context.write(
                wrapOutboundOut(
                    .head(HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers))),
                promise: nil)
        }

        private func flood(context: ChannelHandlerContext) {
            let piece = ByteBuffer(repeating: 0x61, count: 64 << 10)
            let server = server
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(piece)))).whenComplete { result in
                guard case .success = result else { return }
                server.state.withLock { $0.sentBytes += piece.readableBytes }
                let (handler, context) = bound.value
                handler.flood(context: context)
            }
        }
    }
}
