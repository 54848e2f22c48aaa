// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import VaultModel

/// Stands between the HTTP decoder and the request loop of one connection and bounds every wait on the peer.
///
///     awaitingHead ──head──▶ receivingBody ──end──▶ awaitingHead      (requests may be pipelined)
///          │ headTimeout / idleTimeout     │ stalled, too slow
///          ▼                               ▼
///        close                      error to the reader ▶ 408
///
///     an answer with `Connection: close` ends ──▶ lingering ──end of input, lingerBytes, lingerTimeout──▶ close
///
/// 1. A body error is delivered to the reader as `VaultError`, so that it can still be answered.
/// 2. Lingering: after the last answer the output is closed and a little input thrown away; closing at once with unread
///    input would reset the connection and could destroy the answer on its way. Then the socket itself is closed
///    (``TransportDoor``).
/// 3. Until a body is asked for, nothing more is read: a request that waits for its turn holds no body in memory.
/// 4. Of requests that come before their predecessors are answered only a few are taken; then the connection ends.
/// 5. All state belongs to the channel's event loop.
final class ConnectionGuard: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let limits: ConnectionLimits
    private let door: TransportDoor
    private var ticker: RepeatedTask?

    private var context: ChannelHandlerContext?
    private var isReceivingBody = false
    private var isBodyWanted = false
    private var isReadHeld = false
    private var body: BodyWatch
    /// The client waits for `100 Continue`: its silence is not a stall.
    private var isContinuePending = false
    private var hasInputFailed = false
    private var isInputClosed = false
    private var isReadOutstanding = false

    /// Requests whose head arrived and whose answer is not complete.
    private var openRequests = 0
    /// While no request is open: when to give the connection up.
    private var quietDeadline: NIODeadline
    private var isQuiescing = false
    private var closesAfterAnswer = false

    private var pendingWrites = 0
    private var lastWriteProgress: NIODeadline

    private var lingerDeadline: NIODeadline?
    private var lingeredBytes = 0

    init(limits: ConnectionLimits, door: TransportDoor, now: NIODeadline = .now()) {
        self.limits = limits
        self.door = door
        body = BodyWatch(limits: limits)
        quietDeadline = now + TimeAmount(limits.headTimeout)
        lastWriteProgress = now
    }

    // MARK: life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let period = TimeAmount(limits.tick)
        ticker = context.eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in
            let (handler, context) = loopBound.value
            handler.tick(context, now: .now())
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        stopTicking()
    }

    func channelInactive(context: ChannelHandlerContext) {
        stopTicking()
        context.fireChannelInactive()
    }

    /// The task holds the handler and the handler the task: broken here.
    private func stopTicking() {
        ticker?.cancel()
        ticker = nil
    }

    private func tick(_ context: ChannelHandlerContext, now: NIODeadline) {
        if let lingerDeadline {
            if now >= lingerDeadline { door.shut() }
            return
        }
        if pendingWrites > 0, now - lastWriteProgress >= TimeAmount(limits.writeStallTimeout) {
            door.shut()
        } else if isReceivingBody, !hasInputFailed, !isContinuePending {
            guard body.verdict(at: now) != .fine else { return }
            hasInputFailed = true
            context.fireErrorCaught(VaultError(.requestTimeout, "Request timed out."))
        } else if openRequests == 0, pendingWrites == 0, now >= quietDeadline {
            context.close(promise: nil)
        }
    }

    // MARK: inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if lingerDeadline != nil {
            if case .body(let buffer) = Self.unwrapInboundIn(data) { lingeredBytes += buffer.readableBytes }
            if lingeredBytes > limits.lingerBytes { door.shut() }
            return
        }
        guard !hasInputFailed else { return }
        switch Self.unwrapInboundIn(data) {
        case .head(let head):
            guard openRequests < limits.maxPipelinedRequests else {
                hasInputFailed = true
                return context.fireErrorCaught(PipelineTooLong(limit: limits.maxPipelinedRequests))
            }
            openRequests += 1
            isReceivingBody = true
            isBodyWanted = false
            body = BodyWatch(limits: limits)
            isContinuePending = head.expectsContinue
        case .body(let buffer):
            body.received(buffer.readableBytes, at: .now())
            isContinuePending = false
        case .end:
            isReceivingBody = false
            isContinuePending = false
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadOutstanding = false
        body.endsWaiting(at: .now())
        context.fireChannelReadComplete()
        if lingerDeadline != nil { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        hasInputFailed = true
        context.fireErrorCaught(error)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            isInputClosed = true
            if lingerDeadline != nil { context.close(promise: nil) }
        case is ChannelShouldQuiesceEvent:
            isQuiescing = true
            if openRequests == 0, pendingWrites == 0, lingerDeadline == nil { context.close(promise: nil) }
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: outbound

    func read(context: ChannelHandlerContext) {
        // After a failed body nothing more is wanted until the answer is out and lingering begins.
        guard !hasInputFailed || lingerDeadline != nil else { return }
        if isReceivingBody, !isBodyWanted, lingerDeadline == nil {
            isReadHeld = true
            return
        }
        isReadOutstanding = true
        if isReceivingBody, !isContinuePending { body.beginsWaiting(at: .now()) }
        context.read()
    }

    /// The service asks for the body of the newest request.
    func bodyIsWanted() {
        isBodyWanted = true
        guard isReadHeld, let context else { return }
        isReadHeld = false
        read(context: context)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard lingerDeadline == nil else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        var data = data
        var endsAnswer = false
        switch Self.unwrapOutboundIn(data) {
        case .head(let head) where head.status.code < 200:
            isContinuePending = false
            if isReceivingBody, isReadOutstanding { body.beginsWaiting(at: .now()) }
        case .head(var head):
            if isQuiescing, openRequests <= 1 { head.headers.replaceOrAdd(name: "Connection", value: "close") }
            closesAfterAnswer = head.headers[canonicalForm: "connection"].contains("close")
            data = Self.wrapOutboundOut(.head(head))
        case .body: break
        case .end:
            endsAnswer = true
            openRequests = max(0, openRequests - 1)
        }
        if pendingWrites == 0 { lastWriteProgress = .now() }
        pendingWrites += 1
        let done = promise ?? context.eventLoop.makePromise()
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        done.futureResult.whenComplete { [endsAnswer] result in
            let (handler, context) = loopBound.value
            handler.wrote(context, endsAnswer: endsAnswer, result: result)
        }
        context.write(data, promise: done)
    }

    private func wrote(_ context: ChannelHandlerContext, endsAnswer: Bool, result: Result<Void, any Error>) {
        pendingWrites -= 1
        lastWriteProgress = .now()
        guard endsAnswer, case .success = result else { return }
        quietDeadline = .now() + TimeAmount(limits.idleTimeout)
        if closesAfterAnswer { linger(context) }
    }

    private func linger(_ context: ChannelHandlerContext) {
        guard lingerDeadline == nil else { return }
        lingerDeadline = .now() + TimeAmount(limits.lingerTimeout)
        if isInputClosed {
            context.close(promise: nil)
        } else {
            context.close(mode: .output, promise: nil)
            context.read()
        }
    }
}

/// More requests were sent ahead of their answers than are borne.
struct PipelineTooLong: Error, CustomStringConvertible {
    let limit: Int
    var description: String { "more than \(limit) requests were sent ahead of their answers" }
}

extension HTTPRequestHead {
    /// HTTP/1.1 or newer: connections persist and interim answers are understood.
    var isPersistentVersion: Bool { (version.major, version.minor) >= (1, 1) }

    /// Whether the client waits for `100 Continue` before it sends the body.
    var expectsContinue: Bool {
        isPersistentVersion && headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
    }
}
