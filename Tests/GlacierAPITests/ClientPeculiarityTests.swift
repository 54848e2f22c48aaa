// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import Synchronization
import Testing
import TreeHash
import VaultModel

@testable import GlacierAPI
@testable import VaultEngine

/// What SDKs that cannot run here put on the wire, as raw requests.
@Suite(.timeLimit(.minutes(5)))
struct ClientPeculiarityTests {
    static let md5 = ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")

    /// Headers that SDKs add to every request and sign.
    static let peculiar: [(String, [(name: String, value: String)])] = [
        (
            "SDK for Java 1",
            [
                ("accept", "application/json"), ("content-type", "application/x-amz-json-1.0"),
                ("user-agent", "aws-sdk-java/1.10.26 Linux/3.13.0 Java_HotSpot(TM)_64-Bit_Server_VM/24.80-b11/1.7.0"),
                ("x-amz-target", "Glacier.ListVaults"),
                ("amz-sdk-invocation-id", "7c9fa66f-cf5d-4a3e-9b4c-0d9a4f6d1d4e"),
                ("amz-sdk-retry", "0/0/500"),
            ]
        ),
        (
            "SDK for Java 2",
            [
                ("amz-sdk-invocation-id", "7c9fa66f-cf5d-4a3e-9b4c-0d9a4f6d1d4e"),
                ("amz-sdk-request", "attempt=1; max=4"), ("x-amz-te", "append-md5"),
                ("User-Agent", "aws-sdk-java/2.20.0  md/io#sync"), ("Content-Type", "application/json"),
            ]
        ),
        (
            "SDK for Go 2",
            [
                ("Accept-Encoding", "identity"), ("Amz-Sdk-Invocation-Id", "f4a1"),
                ("Amz-Sdk-Request", "attempt=1; max=3"), ("X-Amz-Checksum-Crc32", "AAAAAA=="),
                ("X-Amz-Sdk-Checksum-Algorithm", "CRC32"), md5,
            ]
        ),
        (
            "SDK for C++",
            [("user-agent", "aws-sdk-cpp/1.0.29"), ("content-length-hint", "0"), ("amz-sdk-request", "a;b")]
        ),
        (
            "SDK for .NET",
            [("x-amz-api-version", "2012-06-01"), ("x-amz-user-agent", "aws-sdk-dotnet"), ("amz-sdk-request", "")]
        ),
    ]

    @Test func headersThatSDKsAddAndSignAreVerifiedAndOtherwiseIgnored() async throws {
        try await TestServer.run { server in
            AccessTests.giveOutput(server)
            for (name, headers) in Self.peculiar {
                for action in VaultAction.allCases {
                    var request = SignedText.wellFormed(action)
                    request.headers += headers
                    request.signsEverything = true
                    let answer = try await server.answer(request)
                    #expect(answer.status == SignedText.successStatus(action), "\(name) \(action): \(answer.text)")
                }
            }
            var changed = SignedText.wellFormed(.listVaults)
            changed.headers.append(("user-agent", "signed"))
            changed.signsEverything = true
            let bytes = Array(try changed.head().replacing("user-agent: signed", with: "user-agent: other").utf8)
            #expect(try await server.answer(bytes: bytes).code == "InvalidSignatureException")
        }
    }

    @Test func theLargeLimitsOfOldClientsAreClamped() async throws {
        try await TestServer.run { server in
            for target in [
                "/-/vaults", "/-/vaults/v/jobs", "/-/vaults/v/multipart-uploads", "/-/vaults/v/multipart-uploads/u",
            ] {
                let answer = try await server.answer(SignedText("GET", "\(target)?limit=1000"))
                #expect(answer.status == 200, "\(answer.text)")
            }
            let calls = server.operations.state.withLock { $0.calls }
            #expect(calls.map { $0.split(separator: " ").last } == ["10", "50", "50", "50"])
        }
    }

    /// The first SDK for Go adds both to whatever has a body.
    @Test func checksumsOnSmallBodiesAreTaken() async throws {
        try await TestServer.run { server in
            for action in VaultAction.allCases where !action.streamsBody {
                var request = SignedText.wellFormed(action)
                guard !request.body.isEmpty else { continue }
                request.headers += [
                    ("X-Amz-Content-Sha256", SHA256Hasher.hash(request.body).hex),
                    ("X-Amz-Sha256-Tree-Hash", TreeHash.hash(of: request.body).hex),
                ]
                let answer = try await server.answer(request)
                #expect(answer.status == SignedText.successStatus(action), "\(action): \(answer.text)")
            }
        }
    }

    @Test func aBodyThatWaitsForPermissionToComeGets100OnEachOperationThatReadsIt() async throws {
        try await TestServer.run { server in
            for action in VaultAction.allCases {
                let request = SignedText.wellFormed(action)
                guard !request.body.isEmpty else { continue }
                let head = try TransportTests.expecting(request).head()
                try await server.connected { connection in
                    try await connection.send(head)
                    #expect(try await connection.head().status == 100, "\(action)")
                    try await connection.send(request.body)
                    #expect(try await connection.answer().status == SignedText.successStatus(action), "\(action)")
                }
            }
        }
    }

    @Test func bodiesOfAnyContentTypeAreJSON() async throws {
        try await TestServer.run { server in
            for type in [
                "application/x-www-form-urlencoded; charset=utf-8", "application/x-amz-json-1.1", "text/plain", "",
            ] {
                for action in [
                    VaultAction.initiateJob, .addTagsToVault, .setVaultAccessPolicy, .setDataRetrievalPolicy,
                ] {
                    var request = SignedText.wellFormed(action)
                    request.headers.append(("Content-Type", type))
                    let answer = try await server.answer(request)
                    #expect(answer.status == SignedText.successStatus(action), "\(type): \(answer.text)")
                }
            }
        }
    }

    /// boto 2 and botocore send a length of zero where there is no body, some clients send none at all.
    @Test func operationsWithoutBodyDoNotAskForALength() async throws {
        try await TestServer.run { server in
            for action in [VaultAction.createVault, .purchaseProvisionedCapacity, .completeVaultLock, .abortVaultLock] {
                for length in [-1, 0] {
                    var request = SignedText.wellFormed(action)
                    request.length = length
                    let answer = try await server.answer(request)
                    #expect(answer.status == SignedText.successStatus(action), "\(action)")
                }
                var request = SignedText.wellFormed(action)
                request.body = Array("{}".utf8)
                let answer = try await server.answer(request)
                #expect(answer.status == SignedText.successStatus(action), "\(action)")
            }
        }
    }
}
