// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Testing

@testable import GlacierAPI

@Suite(.timeLimit(.minutes(5)))
struct TransportDoorTests {
    /// Like TLS while it waits for the peer's goodbye: a close goes no further.
    private final class Polite: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) { promise?.succeed() }
    }

    @Test func theDoorShutsWhateverTheHandlersInsideWouldRather() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(listener.localAddress)
        let channel = try await ClientBootstrap(group: group).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandlers([TransportDoor(), Polite()])
            }
        }.connect(to: address).get()
        try await channel.close().get()
        #expect(channel.isActive)
        try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: TransportDoor.self).shut()
        }.get()
        try await channel.closeFuture.get()
        #expect(!channel.isActive)
        try await listener.close().get()
    }
}
