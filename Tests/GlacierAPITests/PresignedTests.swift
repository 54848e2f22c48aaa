// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import Synchronization
import Testing
import TreeHash
import VaultModel

@testable import GlacierAPI
@testable import VaultEngine

/// Requests that their query authenticates, and temporary credentials either way.
@Suite(.timeLimit(.minutes(5)))
struct PresignedTests {
    static let output = "/-/vaults/v/jobs/\(FakeOperations.jobID)/output"
    static let week: Int64 = 604_800

    private func answer(_ server: TestServer, _ head: String, _ body: [UInt8] = []) async throws -> RawAnswer {
        try await server.answer(bytes: Array(head.utf8) + body)
    }

    @Test func anOutputIsFetchedWithNothingButItsAddress() async throws {
        try await TestServer.run { server in
            AccessTests.giveOutput(server)
            var request = SignedText("GET", Self.output)
            request.headers = []
            let whole = try await answer(server, try request.presignedHead(expiresSeconds: 60))
            #expect(whole.status == 200 && whole.body == [1], "\(whole.text)")
            // The range is the reader's choice: only what was signed is bound.
            request.unsigned = [("Range", "bytes=0-0")]
            #expect(try await answer(server, try request.presignedHead(expiresSeconds: 60)).status == 200)
            #expect(server.operations.state.withLock { $0.lastRange } == .closed(0, 0))
            #expect(server.operations.state.withLock { $0.questions.map(\.action) } == [.getJobOutput, .getJobOutput])
        }
    }

    @Test func itsLifeHasBounds() async throws {
        try await TestServer.run { server in
            AccessTests.giveOutput(server)
            let request = SignedText("GET", Self.output)
            func status(_ expires: Int64, ago: Int64, _ change: (String) -> String = { $0 }) async throws -> (
                Int, String?
            ) {
                let answer = try await answer(
                    server, try request.presignedHead(expiresSeconds: expires, secondsAgo: ago, changing: change))
                return (answer.status, answer.code)
            }
            #expect(try await status(60, ago: 60) == (200, nil))
            #expect(try await status(60, ago: 61) == (403, "InvalidSignatureException"))
            #expect(try await status(Self.week, ago: Self.week) == (200, nil))
            #expect(try await status(Self.week, ago: Self.week + 1) == (403, "InvalidSignatureException"))
            #expect(try await status(60, ago: -301) == (403, "InvalidSignatureException"))
            for expires in ["0", "604801", "-1", "x", "", "99999999999999999999"] {
                let refused = try await status(60, ago: 0) { text in
                    text.replacing("X-Amz-Expires=60&", with: "X-Amz-Expires=\(expires)&")
                }
                #expect(refused == (400, "IncompleteSignatureException"), "\(expires)")
            }
            let longer = try await status(60, ago: 61) { $0.replacing("X-Amz-Expires=60&", with: "X-Amz-Expires=600&") }
            #expect(longer == (403, "InvalidSignatureException"))
        }
    }

    @Test func nothingOfItCanBeChanged() async throws {
        try await TestServer.run { server in
            AccessTests.giveOutput(server)
            let request = SignedText("GET", Self.output)
            let changes: [(String, String)] = [
                ("/vaults/v/", "/vaults/w/"), ("/output?", "?"), ("us-east-1", "us-west-2"),
                (FakeOperations.accessKeyID, FakeOperations.sessionKeyID), ("X-Amz-Signature=", "X-Amz-Signature=0"),
                ("SignedHeaders=host", "SignedHeaders=x-host"), ("/output?", "/output?a=b&"),
            ]
            for (old, new) in changes {
                let refused = try await answer(
                    server, try request.presignedHead(expiresSeconds: 60) { $0.replacing(old, with: new) })
                #expect((400...403).contains(refused.status) && refused.code != nil, "\(new): \(refused.text)")
            }
            // Another method, and another body.
            var other = try request.presignedHead(expiresSeconds: 60)
            other = "DELETE" + other.dropFirst(3)
            #expect(try await answer(server, other).status == 403)
            #expect(server.operations.state.withLock { $0.calls } == [])
        }
    }

    @Test func uploadsTravelWithTheHashesThatWereSigned() async throws {
        try await TestServer.run { server in
            let body = Array("presigned".utf8)
            var part = SignedText("PUT", "/-/vaults/v/multipart-uploads/\(FakeOperations.uploadID)")
            part.body = body
            part.headers += SignedText.hashes(of: body) + [("Content-Range", "bytes 0-8/*")]
            for (request, status) in [(SignedText.archive(body), 201), (part, 204)] {
                let head = try request.presignedHead(expiresSeconds: 3600)
                #expect(try await answer(server, head, body).status == status)
                // The signature covers the hash, so another body under it is refused by whoever reads it.
                let evil = try await answer(server, head, Array("presignes".utf8))
                #expect(evil.status == 403 && evil.code == "InvalidSignatureException")
            }
        }
    }

    @Test func aHashMayTravelUnsignedSinceTheSignatureCoversItAsThePayload() async throws {
        try await TestServer.run { server in
            let body = Array("presigned".utf8)
            var request = SignedText("POST", "/-/vaults/v/archives")
            request.headers = []
            request.body = body
            request.unsigned = SignedText.hashes(of: body)
            let head = try request.presignedHead(expiresSeconds: 3600)
            #expect(try await answer(server, head, body).status == 201)
            request.unsigned = SignedText.hashes(of: Array("presignes".utf8))
            let other = try await answer(
                server, try request.presignedHead(expiresSeconds: 3600), Array("presignes".utf8))
            #expect(other.status == 403 && other.code == "InvalidSignatureException", "\(other.text)")
        }
    }

    @Test func aBodyMustBeHashedAndSigned() async throws {
        try await TestServer.run { server in
            for text in ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"] {
                var request = SignedText("POST", "/-/vaults/v/archives")
                request.body = Array("body".utf8)
                request.unsigned = [("x-amz-content-sha256", text)]
                let answer = try await answer(server, try request.presignedHead(expiresSeconds: 60), request.body)
                #expect(answer.status == 403 && answer.code == "InvalidSignatureException", "\(answer.text)")
            }
            #expect(server.operations.state.withLock { $0.bodyBytes } == 0)
        }
    }

    @Test func everyOtherOperationCanBePresignedToo() async throws {
        try await TestServer.run { server in
            AccessTests.giveOutput(server)
            for action in VaultAction.allCases {
                let request = SignedText.wellFormed(action)
                let answer = try await answer(server, try request.presignedHead(expiresSeconds: 60), request.body)
                #expect(answer.status == SignedText.successStatus(action), "\(action): \(answer.text)")
            }
        }
    }

    @Test func aVersionThatIsSentMustBeRightAndASignedRequestNeedsIt() async throws {
        try await TestServer.run { server in
            var request = SignedText.wellFormed(.describeVault)
            request.headers = [("x-amz-glacier-version", "2010-01-01")]
            let wrong = try await answer(server, try request.presignedHead(expiresSeconds: 60))
            #expect(wrong.status == 400 && wrong.code == "InvalidParameterValueException")
            request.headers = []
            #expect(try await server.answer(request).message == "Required parameter missing: API version")
        }
    }

    // MARK: temporary credentials

    /// By header and by query.
    private func bothWays(_ server: TestServer, _ request: SignedText) async throws -> [RawAnswer] {
        [
            try await server.answer(request),
            try await answer(server, try request.presignedHead(expiresSeconds: 60), request.body),
        ]
    }

    @Test func aTokenIsGoodWithItsOwnKeyOnly() async throws {
        try await TestServer.run { server in
            let (key, token) = (FakeOperations.sessionKeyID, FakeOperations.sessionToken)
            let unknown = "UnrecognizedClientException"
            let table: [(String, String?, Int, String?)] = [
                (key, token, 200, nil), (key, nil, 400, unknown), (key, token + "x", 400, unknown),
                (key, "", 400, unknown), (FakeOperations.accessKeyID, token, 400, unknown),
                (FakeOperations.accessKeyID, nil, 200, nil), ("CVTKUNKNOWNUNKNOWN00", token, 400, unknown),
                (key, FakeOperations.expiredToken, 403, "ExpiredTokenException"),
            ]
            for (key, token, status, code) in table {
                var request = SignedText.wellFormed(.describeVault)
                (request.accessKeyID, request.sessionToken) = (key, token)
                for answer in try await bothWays(server, request) {
                    #expect(answer.status == status && answer.code == code, "\(key) \(token ?? "-"): \(answer.text)")
                    if code == unknown {
                        #expect(answer.message == "The security token included in the request is invalid.")
                    }
                    if status == 403 {
                        #expect(answer.message == "The security token included in the request is expired")
                    }
                }
            }
            let policies = server.operations.state.withLock { $0.questions.map(\.caller.sessionPolicy) }
            #expect(policies == [FakeOperations.sessionPolicy, FakeOperations.sessionPolicy, nil, nil])
        }
    }

    @Test func aTokenOfAnyLengthIsRefusedCleanly() async throws {
        try await TestServer.run { server in
            var request = SignedText.wellFormed(.describeVault)
            request.accessKeyID = FakeOperations.sessionKeyID
            for count in [1, 4096, 8192, 8193, 12_000] {
                request.sessionToken = String(repeating: "t", count: count)
                for answer in try await bothWays(server, request) {
                    #expect(answer.status == 400 && answer.code != nil, "\(count): \(answer.text)")
                }
            }
        }
    }

    @Test func aTokenAddedOrTakenAwayOnTheWayIsNotTheSignersRequest() async throws {
        try await TestServer.run { server in
            var request = SignedText.wellFormed(.describeVault)
            request.unsigned = [("x-amz-security-token", FakeOperations.sessionToken)]
            #expect(try await server.answer(request).code == "UnrecognizedClientException")
            request.accessKeyID = FakeOperations.sessionKeyID
            request.sessionToken = FakeOperations.sessionToken
            request.unsigned = []
            let head = try request.head()
            let line = "x-amz-security-token: \(FakeOperations.sessionToken)\r\n"
            let without = try await answer(server, head.replacing(line, with: ""))
            #expect((400...403).contains(without.status) && without.code != nil)
        }
    }
}
