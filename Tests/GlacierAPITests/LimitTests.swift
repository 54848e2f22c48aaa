// SPDX-License-Identifier: Apache-2.0

import Metrics
import NIOCore
import NIOPosix
import Synchronization
import Testing
import VaultModel

@testable import GlacierAPI

/// What happens beyond the limits, on real sockets.
@Suite(.timeLimit(.minutes(5)))
struct LimitTests {
    private static let get = SignedText("GET", "/-/vaults/v")

    /// An upload whose first bytes the engine has read, so that its connection certainly is at work.
    private static func beginUpload(
        _ server: TestServer, _ connection: inout RawConnection, _ body: [UInt8]
    ) async throws {
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        server.operations.state.withLock { $0.didReadFirst = { begin.yield() } }
        try await connection.send(Array(try SignedText.archive(body).head().utf8) + body.prefix(1000))
        var iterator = begun.makeAsyncIterator()
        await iterator.next()
    }

    @Test func anIdleConnectionMakesRoomAndTheNewcomerIsServed() async throws {
        var limits = ConnectionLimits()
        limits.maxConnections = 2
        try await TestServer.run(limits: limits) { server in
            let request = try Self.get.bytes()
            try await server.connected { first in
                try await first.send(request)
                #expect(try await first.answer().status == 200)
                try await server.connected { second in
                    try await second.send(request)
                    #expect(try await second.answer().status == 200)
                    try await server.connected { third in
                        try await third.send(request)
                        #expect(try await third.answer().status == 200)
                        #expect(await first.isEnded(), "it had waited longest")
                        try await second.send(request)
                        #expect(try await second.answer().status == 200)
                    }
                }
            }
        }
    }

    @Test func aHeadThatNeverEndsMakesRoomToo() async throws {
        var limits = ConnectionLimits()
        limits.maxConnections = 1
        try await TestServer.run(limits: limits) { server in
            try await server.connected { slow in
                try await slow.send("GET / HTTP/1.1\r\nHost: x\r\n")
                #expect(try await server.answer(Self.get).status == 200)
                #expect(await slow.isEnded())
            }
        }
    }

    @Test func whereEverybodyWorksTheNewestGets503WithRetryAfter() async throws {
        var limits = ConnectionLimits()
        limits.maxConnections = 1
        try await TestServer.run(limits: limits) { server in
            let body = [UInt8](repeating: 3, count: 5000)
            let request = try Self.get.bytes()
            try await server.connected { working in
                try await Self.beginUpload(server, &working, body)
                for _ in 0..<3 {
                    try await server.connected { newest in
                        try await newest.send(request)
                        let answer = try await newest.answer()
                        #expect(answer.status == 503 && answer.code == "ServiceUnavailableException")
                        #expect(answer.header("Retry-After") == "1" && answer.header("Connection") == "close")
                        #expect(await newest.isEnded())
                    }
                }
                try await working.send(Array(body.dropFirst(1000)))
                #expect(try await working.answer().status == 201, "whoever works is not disturbed")
            }
        }
    }

    @Test func oneAddressCannotHaveThemAll() async throws {
        var limits = ConnectionLimits()
        limits.maxConnections = 100
        limits.maxConnectionsPerAddress = 1
        try await TestServer.run(limits: limits) { server in
            let body = [UInt8](repeating: 3, count: 5000)
            try await server.connected { working in
                try await Self.beginUpload(server, &working, body)
                #expect(try await server.answer(Self.get).status == 503)
            }
        }
    }

    @Test func oneRequestTooManyOfAnAccountIsThrottledUnreadAndThenTakenAgain() async throws {
        var limits = AccountLimits()
        limits.concurrentRequests = 1
        try await TestServer.run(accountLimits: limits) { server in
            let body = [UInt8](repeating: 3, count: 5000)
            try await server.connected { working in
                try await Self.beginUpload(server, &working, body)
                let refused = try await server.answer(.archive(body))
                #expect(refused.status == 400 && refused.code == "ThrottlingException")
                #expect(refused.header("Retry-After") == "1")
                #expect(server.operations.state.withLock { $0.bodyBytes } == 1000)
                try await working.send(Array(body.dropFirst(1000)))
                #expect(try await working.answer().status == 201)
                #expect(try await server.answer(Self.get).status == 200)
            }
            // One that is lost in the middle gives its place back, too.
            try await server.connected { lost in try await Self.beginUpload(server, &lost, body) }
            var status = 400
            for _ in 0..<500 where status != 200 {
                status = try await server.answer(Self.get).status
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(status == 200)
        }
    }

    @Test func theRateOfAnAccountIsHeld() async throws {
        var limits = AccountLimits()
        limits.requestsPerSecond = 5
        // The tests' clock stands still, so nothing is refilled.
        try await TestServer.run(accountLimits: limits) { server in
            var statuses: [Int] = []
            for _ in 0..<12 { statuses.append(try await server.answer(Self.get).status) }
            #expect(statuses == Array(repeating: 200, count: 10) + [400, 400])
        }
    }

    @Test func aStrangerUsesUpNothingOfAnAccount() async throws {
        var limits = AccountLimits()
        limits.requestsPerSecond = 1
        try await TestServer.run(accountLimits: limits) { server in
            var forged = Self.get
            forged.secret = "wrong"
            for _ in 0..<10 {
                let refused = try await server.answer(forged)
                #expect(refused.status == 403)
            }
            let taken = try await server.answer(Self.get)
            #expect(taken.status == 200)
        }
    }

    @Test func aPipelineHasAnEnd() async throws {
        try await TestServer.run { server in
            let request = try Self.get.bytes()
            let flood = Array(repeatElement(request, count: 2000).joined())
            let answered = try await server.connected { connection in
                var answered: [Int] = []
                // The rest may come back as a reset.
                try? await connection.send(flood)
                while let answer = try? await connection.answer() { answered.append(answer.status) }
                return answered
            }
            #expect((1...20).contains(answered.filter { $0 == 200 }.count), "\(answered.count)")
            #expect(try await server.answer(Self.get).status == 200)
        }
    }

    @Test func aServerThatIsCancelledWithConnectionsAtTheDoorEndsInOrder() async throws {
        for round in 0..<20 {
            let (ports, bound) = AsyncStream.makeStream(of: Int.self)
            let server = try GlacierServer(
                operations: FakeOperations(),
                configuration: GlacierServerConfiguration(host: "127.0.0.1", port: 0, regions: [Region("us-east-1")!]),
                clock: TestServer.clock, random: CountingRandom(),
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: TestServer.silent,
                metrics: NOOPMetricsHandler.instance
            ) { bound.yield($0) }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await server.run() }
                var iterator = ports.makeAsyncIterator()
                guard let port = await iterator.next() else { return }
                let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                let connections = (0..<100).map { _ in bootstrap.connect(host: "127.0.0.1", port: port) }
                // In each round a little earlier or later.
                for connection in connections.prefix(round * 5) { _ = try? await connection.get() }
                group.cancelAll()
                await group.waitForAll()
                for connection in connections {
                    if let channel = try? await connection.get() { try? await channel.close() }
                }
            }
        }
    }
}
