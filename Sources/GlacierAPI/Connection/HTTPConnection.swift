// SPDX-License-Identifier: Apache-2.0

import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import VaultEngine
import VaultModel

/// A connection that has its place, before it is served.
struct AcceptedConnection: ServerChildChannelValue {
    struct Admitted: Sendable {
        let stream: NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>
        let seat: ConnectionSeat
        /// Lets the body of the request that was begun come in.
        let wantBody: @Sendable () -> Void
    }

    let channel: any Channel
    /// Nil: it was refused and ends by itself.
    let admitted: Admitted?
}

/// HTTP/1.1 on one accepted connection: its pipeline and its request loop, one request after the other.
///
/// Invariants:
///  1. `100 Continue` is sent by whoever reads the body, never by itself (``RequestBody``).
///  2. An answer that leaves a large rest of the body unread says `Connection: close`; the rest is not taken
///     (``ConnectionGuard``).
///  3. An answer cut short is never completed: the connection is closed instead.
///  4. A connection beyond the limits costs a fixed answer and no parser (``ConnectionDesk``).
///  5. Headers are handed on as received, in order, nothing removed: signatures cover them.
struct HTTPConnection: ServerChildChannel {
    typealias Value = AcceptedConnection

    let desk: ConnectionDesk
    let limits: ConnectionLimits
    let tls: NIOSSLContext?
    let clock: any TimeSource
    /// Answers one request. Never throws: an error is an answer too.
    let respond: @Sendable (IncomingRequest) async -> Answer
    /// Answers what is not HTTP.
    let refuse: @Sendable (any Error) -> Answer

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let door = TransportDoor()
            let boundDoor = NIOLoopBound(door, eventLoop: channel.eventLoop)
            let admission = desk.arrives(from: channel.remoteAddress) {
                channel.eventLoop.execute { boundDoor.value.shut() }
            }
            guard case .admitted(let seat) = admission else {
                if case .refused(let isTold) = admission { try refuse(channel, isTold: isTold) }
                return AcceptedConnection(channel: channel, admitted: nil)
            }
            channel.closeFuture.whenComplete { _ in seat.leaves() }
            // Large receive buffers: fewer wake-ups per GiB. Bounded by the watermark below: about 1 MiB a connection.
            try channel.syncOptions?.setOption(
                ChannelOptions.recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 16 << 10, maximum: 256 << 10))
            // One read a turn, so that a client that floods does not keep the loop from the others.
            try channel.syncOptions?.setOption(ChannelOptions.maxMessagesPerRead, value: 1)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(door)
            if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
            var decoderLimits = NIOHTTPDecoderLimitConfiguration()
            decoderLimits.maxHeaderFieldSize = limits.maxHeaderBytes
            decoderLimits.maxHeaderListSize = limits.maxHeaderBytes
            decoderLimits.maxHeaderFieldCount = limits.maxHeaderFields
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: true,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoderLimits)
            let guardian = ConnectionGuard(limits: limits, door: door)
            let boundGuardian = NIOLoopBound(guardian, eventLoop: channel.eventLoop)
            try pipeline.addHandler(guardian)
            let stream = try NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>(
                wrappingChannelSynchronously: channel,
                configuration: .init(
                    backPressureStrategy: .init(lowWatermark: 1, highWatermark: 4), isOutboundHalfClosureEnabled: false)
            )
            // A server that is cancelled drops connections that it has accepted and not handled yet, and the library
            // traps when one goes that is still open.
            channel.closeFuture.whenComplete { _ in withExtendedLifetime(stream) {} }
            let admitted = AcceptedConnection.Admitted(stream: stream, seat: seat) {
                let eventLoop = channel.eventLoop
                guard eventLoop.inEventLoop else { return eventLoop.execute { boundGuardian.value.bodyIsWanted() } }
                boundGuardian.value.bodyIsWanted()
            }
            return AcceptedConnection(channel: channel, admitted: admitted)
        }
    }

    private func refuse(_ channel: any Channel, isTold: Bool) throws {
        if isTold { channel.closeFuture.whenComplete { [desk] _ in desk.farewellEnded() } }
        try channel.pipeline.syncOperations.addHandler(
            RefusedConnection(isTold: isTold && tls == nil, limits: limits))
    }

    func handle(value: Value, logger: Logger) async {
        guard let connection = value.admitted else { return }
        let channel = value.channel
        do {
            try await withRequestExecutor(EventLoopTaskExecutor(channel.eventLoop)) {
                try await withTaskCancellationHandler {
                    try await connection.stream.executeThenClose { inbound, _ in
                        try await serve(InboundParts(inbound), of: connection, on: channel)
                    }
                } onCancel: {
                    channel.close(promise: nil)
                }
            }
        } catch {
            // The connection is gone; what became of each answer was reported with it.
            logger.trace("A connection ended with an error.", metadata: ["error": "\(error)"])
        }
    }

    private func serve(_ parts: InboundParts, of connection: AcceptedConnection.Admitted, on channel: any Channel) async throws {
        let peer = Peer(address: channel.remoteAddress?.ipAddress, isSecure: tls != nil)
        while let part = try await head(from: parts, on: channel) {
            guard case .head(let head) = part else { return }
            let body = RequestBody(head: head, parts: parts, want: connection.wantBody) {
                let head = HTTPResponseHead(version: .http1_1, status: .continue)
                try await channel.writeAndFlush(HTTPServerResponsePart.head(head)).get()
            }
            let answer = await respond(
                IncomingRequest(peer: peer, head: head, body: body, didAuthenticate: connection.seat.works))
            let isKept = head.isKeepAlive && head.isPersistentVersion && body.canBeDrained(limit: limits.drainBytes)
            defer { connection.seat.rests() }
            try await send(answer, to: head, isLast: !isKept, on: channel)
            guard isKept else { return try await channel.closeFuture.get() }
            try await body.drain()
        }
    }

    /// The next head; nil when the client is done. What is not HTTP gets its answer here.
    private func head(from parts: InboundParts, on channel: any Channel) async throws -> HTTPServerRequestPart? {
        do {
            return try await parts.next()
        } catch where error is HTTPParserError || error is PipelineTooLong {
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
            try await send(refuse(error), to: head, isLast: true, on: channel)
            try await channel.closeFuture.get()
            return nil
        }
    }

    private func send(_ answer: Answer, to request: HTTPRequestHead, isLast: Bool, on channel: any Channel) async throws
    {
        var headers = HTTPHeaders(answer.headers)
        headers.add(name: "Date", value: HTTPDate.text(clock.now()))
        switch answer.payload {
        case .none: break
        case .bytes(let bytes): headers.add(name: "Content-Length", value: String(bytes.count))
        case .stream(let count, _): headers.add(name: "Content-Length", value: String(count))
        }
        if isLast { headers.add(name: "Connection", value: "close") }
        let writer = AnswerWriter(channel: channel)
        do {
            let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
            try await writer.write(head, payload: answer.payload, omitsBody: request.method == .HEAD)
            answer.whenSent(SentAnswer(bodyBytes: writer.bodyBytes, failure: nil))
        } catch {
            channel.close(promise: nil)
            answer.whenSent(SentAnswer(bodyBytes: writer.bodyBytes, failure: error))
            throw error
        }
    }
}
