// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Tells one connection too many to come back, and closes it: an answer of fixed bytes, little input thrown away, no
/// parser. Without an answer (TLS, whose handshake would cost more than the answer is worth, or too many of these) it
/// closes at once.
final class RefusedConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let document =
        #"{"code":"ServiceUnavailableException","message":"Too many connections. Please try again.","type":"Server"}"#
    static let answer =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: \(document.utf8.count)\r\n"
        + "Retry-After: 1\r\nConnection: close\r\n\r\n" + document

    private let isTold: Bool
    private let lingerBytes: Int
    private let lingerTimeout: TimeAmount
    private var thrownAway = 0

    init(isTold: Bool, limits: ConnectionLimits) {
        self.isTold = isTold
        lingerBytes = limits.drainBytesOfRefused
        lingerTimeout = TimeAmount(min(limits.lingerTimeout, .seconds(1)))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { refuse(context) }
    }

    func channelActive(context: ChannelHandlerContext) { refuse(context) }

    private func refuse(_ context: ChannelHandlerContext) {
        guard isTold else { return context.close(promise: nil) }
        context.writeAndFlush(Self.wrapOutboundOut(ByteBuffer(string: Self.answer)), promise: nil)
        context.close(mode: .output, promise: nil)
        // Closing with unread input would reset the connection, and the answer might never be seen.
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: lingerTimeout) { bound.value.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        thrownAway += Self.unwrapInboundIn(data).readableBytes
        if thrownAway > lingerBytes { context.close(promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
