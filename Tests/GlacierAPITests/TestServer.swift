// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Logging
import Metrics
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing
import VaultModel

@testable import GlacierAPI

/// A clock that stands still: signatures in tests are always fresh.
struct StoppedClock: TimeSource {
    let time: Timestamp
    func now() -> Timestamp { time }
    func monotonic() -> Duration { .zero }
    func sleep(for duration: Duration) async throws {}
}

/// Bytes that differ from call to call; nothing here is secret.
final class CountingRandom: RandomByteSource {
    private let next = Mutex<UInt64>(1)
    func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        for index in buffer.indices {
            buffer[index] = next.withLock { state in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 33)
            }
        }
    }
}

/// Runs a real server on a free loopback port around `body`, then stops it gracefully.
struct TestServer {
    let operations: FakeOperations
    let port: Int
    let group: ServiceGroup

    static let clock = StoppedClock(time: FakeOperations.moment)

    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static func run(
        limits: ConnectionLimits = ConnectionLimits(), accountLimits: AccountLimits = AccountLimits(),
        logger: Logger = silent,
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        let operations = FakeOperations()
        let (ports, bound) = AsyncStream.makeStream(of: Int.self)
        let server = try GlacierServer(
            operations: operations,
            configuration: GlacierServerConfiguration(
                host: "127.0.0.1", port: 0, regions: [Region("us-east-1")!, Region("us-west-2")!], limits: limits,
                accountLimits: accountLimits),
            clock: clock, random: CountingRandom(), eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: logger,
            metrics: NOOPMetricsHandler.instance
        ) { bound.yield($0) }
        let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: [server], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            do {
                try await body(TestServer(operations: operations, port: port, group: group))
            } catch {
                tasks.cancelAll()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    /// Opens a connection for the duration of `body`.
    func connected<R: Sendable>(
        receiveBufferBytes: Int? = nil, _ body: (inout RawConnection) async throws -> R
    ) async throws -> R {
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
        if let receiveBufferBytes {
            bootstrap = bootstrap.channelOption(
                ChannelOptions.socketOption(.so_rcvbuf), value: SocketOptionValue(receiveBufferBytes))
        }
        let channel = try await bootstrap.connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                    wrappingChannelSynchronously: channel,
                    configuration: .init(backPressureStrategy: .init(lowWatermark: 1, highWatermark: 2)))
            }
        }
        return try await channel.executeThenClose { inbound, outbound in
            var connection = RawConnection(inbound: inbound, outbound: outbound)
            return try await body(&connection)
        }
    }
}
