// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// The outermost handler of a connection: shuts it without asking the handlers further in.
///
/// TLS answers a close by waiting for the peer's own goodbye, and takes everything the peer still sends meanwhile. A
/// peer that was refused gets no such courtesy.
final class TransportDoor: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Closes the socket now. To be called on the channel's event loop.
    func shut() { context?.close(promise: nil) }
}
