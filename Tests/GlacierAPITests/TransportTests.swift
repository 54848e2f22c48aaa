// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing
import VaultModel

@testable import GlacierAPI
@testable import VaultEngine

/// What the connection itself promises: Expect, early refusals, stalls, cuts, backpressure, graceful stop.
@Suite(.timeLimit(.minutes(5)))
struct TransportTests {
    static let megabyte = 1 << 20

    static func expecting(_ request: SignedText) -> SignedText {
        var request = request
        request.unsigned.append(("Expect", "100-continue"))
        return request
    }

    @Test func aGoodHeadGets100AndThenTheAnswer() async throws {
        try await TestServer.run { server in
            let body = [UInt8](repeating: 7, count: 3 * Self.megabyte)
            let head = try Self.expecting(.archive(body)).head()
            try await server.connected { connection in
                try await connection.send(head)
                #expect(try await connection.head().status == 100)
                try await connection.send(body)
                #expect(try await connection.answer().status == 201)
            }
        }
    }

    @Test func aSmallJSONBodyThatWaitsGets100Too() async throws {
        try await TestServer.run { server in
            var request = SignedText("POST", "/-/vaults/v/jobs")
            request.body = Array(#"{"Type":"inventory-retrieval"}"#.utf8)
            let (head, body) = (try Self.expecting(request).head(), request.body)
            try await server.connected { connection in
                try await connection.send(head)
                #expect(try await connection.head().status == 100)
                try await connection.send(body)
                #expect(try await connection.answer().status == 202)
            }
        }
    }

    @Test func aBadHeadGetsItsFinalAnswerWithout100AndTheConnectionEnds() async throws {
        try await TestServer.run { server in
            server.operations.state.withLock { $0.refusal = VaultError(.notFound, "Vault not found for ARN: x") }
            var forged = Self.expecting(.archive(Array("body".utf8)))
            forged.secret = "wrong"
            let notFound = Self.expecting(.archive(Array("body".utf8)))
            for (request, status) in [(forged, 403), (notFound, 404)] {
                let head = try request.head()
                try await server.connected { connection in
                    try await connection.send(head)
                    let answer = try await connection.answer()
                    #expect(answer.status == status && answer.header("Connection") == "close")
                    #expect(await connection.isEnded())
                }
            }
        }
    }

    @Test func aLargeBodyRefusedEarlyIsNotTaken() async throws {
        try await TestServer.run { server in
            server.operations.state.withLock { $0.refusal = VaultError(.notFound, "no") }
            var request = SignedText.archive([])
            request.length = 1 << 30
            let head = try request.head()
            let sent = try await server.connected { connection in
                try await connection.send(head)
                let answer = try await connection.answer()
                #expect(answer.status == 404 && answer.header("Connection") == "close")
                let piece = [UInt8](repeating: 0, count: 64 << 10)
                var sent = 0
                while sent < 64 * Self.megabyte {
                    do { try await connection.send(piece) } catch { break }
                    sent += piece.count
                    // A write that is only scheduled is not taken: each loop turns before the next one.
                    for loop in MultiThreadedEventLoopGroup.singleton.makeIterator() { try await loop.submit {}.get() }
                }
                return sent
            }
            #expect(sent < 32 * Self.megabyte)
            #expect(server.operations.state.withLock { $0.bodyBytes } == 0)
        }
    }

    @Test func aClientThatWritesAllBeforeItReadsStillSeesTheRefusal() async throws {
        try await TestServer.run { server in
            server.operations.state.withLock { $0.refusal = VaultError(.notFound, "no") }
            let bytes = try SignedText.archive([UInt8](repeating: 1, count: 200 << 10)).bytes()
            let answer = try await server.connected { connection in
                try await connection.send(bytes)
                return try await connection.answer()
            }
            #expect(answer.status == 404 && answer.isWhole)
        }
    }

    @Test func theConnectionSurvivesErrorsWithSmallBodies() async throws {
        try await TestServer.run { server in
            let refused = try SignedText.archive([UInt8](repeating: 1, count: 1000)).bytes()
            let good = try SignedText("GET", "/-/vaults/v").bytes()
            try await server.connected { connection in
                for _ in 0..<3 {
                    server.operations.state.withLock { $0.refusal = VaultError(.notFound, "no") }
                    try await connection.send(refused)
                    let answer = try await connection.answer()
                    #expect(answer.status == 404 && answer.header("Connection") == nil)
                    server.operations.state.withLock { $0.refusal = nil }
                    try await connection.send(good)
                    #expect(try await connection.answer().status == 200)
                }
            }
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        try await TestServer.run { server in
            let first = try SignedText.archive(Array("first body".utf8)).bytes()
            let second = try SignedText("GET", "/-/vaults/other").bytes()
            try await server.connected { connection in
                try await connection.send(first + second)
                #expect(try await connection.answer().status == 201)
                #expect(try await connection.answer().document?["VaultName"] == "other")
            }
        }
    }

    @Test func aHugeContentLengthIsNeverRead() async throws {
        try await TestServer.run { server in
            for length in ["10000000000000000000", "18446744073709551615"] {
                var request = SignedText.archive([])
                request.length = -1
                request.unsigned = [("Content-Length", length)]
                let head = try request.head()
                try await server.connected { connection in
                    try await connection.send(head)
                    let answer = try await connection.answer()
                    #expect(answer.status == 400 && answer.message == "Invalid Content-Length: \(length)")
                    #expect(answer.header("Connection") == "close")
                    #expect(await connection.isEnded())
                }
            }
        }
    }

    @Test func anAnswerToHEADHasNoBodyAndTheConnectionGoesOn() async throws {
        try await TestServer.run { server in
            let head = try SignedText("HEAD", "/-/vaults/v").bytes()
            let get = try SignedText("GET", "/-/vaults/v").bytes()
            try await server.connected { connection in
                try await connection.send(head + get)
                #expect(try await connection.head().status == 400)
                #expect(try await connection.answer().status == 200)
            }
        }
    }

    @Test func bodiesReadWholeAreLimitedEachAndTogether() async throws {
        try await TestServer.run { server in
            // Without a stated hash the signature cannot be judged from the head: a large body is refused unread.
            var unstated = SignedText("POST", "/-/vaults/v/jobs")
            unstated.length = Limits.maxJSONBodyBytes + 1
            let missing = try await server.answer(unstated)
            #expect(missing.message == "Required parameter missing: x-amz-content-sha256")
            var stated = unstated
            stated.headers.append(("x-amz-content-sha256", FakeOperations.digest.hex))
            #expect(try await server.answer(stated).code == "SerializationException")
        }
        let allowance = BodyAllowance(capacityBytes: 100)
        try allowance.take(60)
        try allowance.take(40)
        #expect(throws: VaultError.self) { try allowance.take(1) }
        allowance.give(60)
        try allowance.take(60)
    }

    @Test func connectionCloseIsHonoured() async throws {
        try await TestServer.run { server in
            var request = SignedText("GET", "/-/vaults/v")
            request.unsigned = [("Connection", "close")]
            let bytes = try request.bytes()
            try await server.connected { connection in
                try await connection.send(bytes)
                let answer = try await connection.answer()
                #expect(answer.status == 200 && answer.header("Connection") == "close")
                #expect(await connection.isEnded())
            }
        }
    }

    @Test func aBodyThatStallsGets408() async throws {
        var limits = ConnectionLimits()
        limits.bodyStallTimeout = .milliseconds(200)
        try await TestServer.run(limits: limits) { server in
            let body = [UInt8](repeating: 1, count: Self.megabyte)
            let head = try SignedText.archive(body).head()
            let answer = try await server.connected { connection in
                try await connection.send(Array(head.utf8) + body.prefix(1000))
                return try await connection.answer()
            }
            #expect(answer.status == 408 && answer.code == "RequestTimeoutException")
            #expect(answer.message == "Request timed out." && answer.header("Connection") == "close")
        }
    }

    @Test func aHeadThatNeverEndsAndAnIdleConnectionAreClosed() async throws {
        var impatient = ConnectionLimits()
        impatient.headTimeout = .milliseconds(200)
        try await TestServer.run(limits: impatient) { server in
            try await server.connected { connection in
                try await connection.send("GET /-/vaults HTTP/1.1\r\nHost: x\r\n")
                #expect(await connection.isEnded())
            }
        }
        var limits = ConnectionLimits()
        limits.idleTimeout = .milliseconds(200)
        try await TestServer.run(limits: limits) { server in
            let request = try SignedText("GET", "/-/vaults/v").bytes()
            try await server.connected { connection in
                try await connection.send(request)
                #expect(try await connection.answer().status == 200)
                #expect(await connection.isEnded())
            }
        }
    }

    @Test func whatIsNotHTTPOrTooLargeGets400() async throws {
        try await TestServer.run { server in
            let large = "GET / HTTP/1.1\r\nHost: x\r\nx-large: " + String(repeating: "y", count: 100 << 10) + "\r\n\r\n"
            for noise in ["nonsense\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n", large] {
                let answer = try await server.connected { connection in
                    try await connection.send(noise)
                    return try await connection.answer()
                }
                #expect(answer.status == 400 && answer.code == "BadRequest" && answer.header("Connection") == "close")
                #expect(answer.header("x-amzn-RequestId")?.count == 47)
            }
        }
    }

    @Test func aBodyThatEndsEarlyIsAnErrorToTheEngine() async throws {
        try await TestServer.run { server in
            let body = [UInt8](repeating: 1, count: 1000)
            let head = try SignedText.archive(body).head()
            let (ended, end) = AsyncStream.makeStream(of: Void.self)
            server.operations.state.withLock { $0.didReadFirst = { end.yield() } }
            try await server.connected { connection in
                try await connection.send(Array(head.utf8) + body.prefix(500))
                var iterator = ended.makeAsyncIterator()
                await iterator.next()
            }
            // The next request shows that the service goes on and took nothing for whole.
            #expect(try await server.answer(SignedText("GET", "/-/vaults/v")).status == 200)
            #expect(server.operations.state.withLock { $0.bodyBytes } == 500)
        }
    }

    @Test func anIntegrityErrorInMidAnswerCutsTheConnection() async throws {
        try await TestServer.run { server in
            server.operations.state.withLock { state in
                state.output = {
                    JobOutput(
                        contentType: "application/octet-stream", totalBytes: 2 << 20,
                        range: ByteRange(first: 0, last: (2 << 20) - 1),
                        isPartial: false, treeHash: nil, archiveDescription: nil,
                        source: { write in
                            try await write(ByteBuffer(repeating: 1, count: 1 << 20))
                            throw VaultError(.integrity, "stored bytes do not verify")
                        })
                }
            }
            let answer = try await server.answer(SignedText("GET", "/-/vaults/v/jobs/j/output"))
            #expect(answer.status == 200 && !answer.isWhole)
            #expect(answer.body.count <= 1 << 20)
        }
    }

    @Test func anAnswerOfTheWrongLengthCutsTheConnection() async throws {
        try await TestServer.run { server in
            for produced in [9, 11] {
                server.operations.state.withLock { state in
                    state.output = {
                        JobOutput(
                            contentType: "text/csv", totalBytes: 10, range: ByteRange(first: 0, last: 9),
                            isPartial: false,
                            treeHash: nil, archiveDescription: nil,
                            source: { write in try await write(ByteBuffer(repeating: 1, count: produced)) })
                    }
                }
                let request = try SignedText("GET", "/-/vaults/v/jobs/j/output").bytes()
                try await server.connected { connection in
                    try await connection.send(request)
                    // Never ten bytes that look complete.
                    let answer = try? await connection.answer()
                    #expect(answer?.isWhole != true)
                }
            }
        }
    }

    @Test func aSlowReaderSlowsTheProducerDown() async throws {
        let total = 64 * Self.megabyte
        try await TestServer.run { server in
            let produced = Mutex(0)
            let output = JobOutput(
                contentType: "application/octet-stream", totalBytes: UInt64(total),
                range: ByteRange(first: 0, last: UInt64(total) - 1),
                isPartial: false, treeHash: nil, archiveDescription: nil,
                source: { write in
                    for _ in 0..<64 {
                        produced.withLock { $0 += Self.megabyte }
                        try await write(ByteBuffer(repeating: 1, count: Self.megabyte))
                    }
                })
            server.operations.state.withLock { $0.output = { output } }
            let request = try SignedText("GET", "/-/vaults/v/jobs/j/output").bytes()
            try await server.connected(receiveBufferBytes: 64 << 10) { connection in
                try await connection.send(request)
                #expect(try await connection.head().status == 200)
                var read = 0
                var farthest = 0
                while read < total {
                    let piece = try await connection.bytes(Self.megabyte)
                    guard !piece.isEmpty else { break }
                    read += piece.count
                    farthest = max(farthest, produced.withLock { $0 } - read)
                }
                #expect(read == total)
                // Kernel buffers of both sides plus two writes; without backpressure it would be all of it.
                #expect(farthest < 24 * Self.megabyte, "the producer ran \(farthest) bytes ahead")
            }
        }
    }

    @Test func aGracefulStopFinishesTheRequestInFlightAndClosesIdleConnections() async throws {
        try await TestServer.run { server in
            let body = [UInt8](repeating: 3, count: 2 * Self.megabyte)
            let head = try SignedText.archive(body).head()
            let idle = try SignedText("GET", "/-/vaults/v").bytes()
            let (begun, begin) = AsyncStream.makeStream(of: Void.self)
            server.operations.state.withLock { $0.didReadFirst = { begin.yield() } }
            try await server.connected { waiting in
                try await waiting.send(idle)
                #expect(try await waiting.answer().status == 200)
                try await server.connected { connection in
                    try await connection.send(Array(head.utf8) + body.prefix(Self.megabyte))
                    var iterator = begun.makeAsyncIterator()
                    await iterator.next()
                    await server.group.triggerGracefulShutdown()
                    #expect(await waiting.isEnded())
                    try await connection.send(Array(body.dropFirst(Self.megabyte)))
                    let answer = try await connection.answer()
                    #expect(answer.status == 201 && answer.header("Connection") == "close")
                    #expect(await connection.isEnded())
                }
            }
        }
    }
}
