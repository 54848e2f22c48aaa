// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Synchronization
import Testing
import VaultModel

@testable import GlacierAPI
@testable import VaultEngine

/// Who may ask at all, judged before anything else.
@Suite(.timeLimit(.minutes(5)))
struct AuthenticationTests {
    static let vault = "/-/vaults/v"

    @Test func eachWayToFailHasItsDocumentedAnswer() async throws {
        try await TestServer.run { server in
            func changed(_ change: (inout SignedText) -> Void) -> SignedText {
                var request = SignedText("GET", Self.vault)
                change(&request)
                return request
            }
            let table: [(String, SignedText, Int, String)] = [
                (
                    "wrong secret", changed { $0.secret = String(repeating: "w", count: 40) }, 403,
                    "InvalidSignatureException"
                ),
                (
                    "unknown key", changed { $0.accessKeyID = "AKIAUNKNOWNUNKNOWN00" }, 400,
                    "UnrecognizedClientException"
                ),
                ("region not served", changed { $0.region = "eu-west-1" }, 403, "InvalidSignatureException"),
                ("no version", changed { $0.headers = [] }, 400, "MissingParameterValueException"),
                (
                    "old version", changed { $0.headers = [("x-amz-glacier-version", "2010-01-01")] }, 400,
                    "InvalidParameterValueException"
                ),
                ("no account", changed { $0.target = "/99999999999/vaults/v" }, 403, "AccessDeniedException"),
                (
                    "wrong secret, unknown path",
                    changed {
                        $0.target = "/x"
                        $0.secret = "s"
                    }, 403, "InvalidSignatureException"
                ),
            ]
            for (name, request, status, code) in table {
                let answer = try await server.answer(request)
                #expect(answer.status == status && answer.code == code, "\(name): \(answer.text)")
            }
            #expect(server.operations.state.withLock { $0.calls } == [])
            let plain = try await server.connected { connection in
                try await connection.send("GET /-/vaults HTTP/1.1\r\nHost: x\r\n\r\n")
                return try await connection.answer()
            }
            #expect(plain.status == 400 && plain.code == "MissingAuthenticationTokenException")
        }
    }

    @Test func aDisabledKeyIsUnknownFromTheNextRequestOn() async throws {
        try await TestServer.run { server in
            let before = try await server.answer(SignedText("GET", Self.vault))
            server.operations.state.withLock { $0.isKeyActive = false }
            let after = try await server.answer(SignedText("GET", Self.vault))
            #expect(before.status == 200 && after.code == "UnrecognizedClientException")
        }
    }

    @Test func theRegionOfTheScopeIsTheNamespace() async throws {
        try await TestServer.run { server in
            var request = SignedText("PUT", Self.vault)
            request.region = "us-west-2"
            let answer = try await server.answer(request)
            #expect(answer.status == 201)
            #expect(
                server.operations.state.withLock { $0.calls } == [
                    "createVault arn:aws:glacier:us-west-2:123456789012:vaults/v"
                ])
        }
    }

    @Test func aJSONBodyThatWasChangedOnTheWayFailsTheSignature() async throws {
        try await TestServer.run { server in
            var request = SignedText("POST", "\(Self.vault)/jobs")
            request.body = Array(#"{"Type":"inventory-retrieval"}"#.utf8)
            let head = try request.head()
            let other = Array(#"{"Type":"inventory-retrievaL"}"#.utf8)
            let tampered = try await server.connected { connection in
                try await connection.send(Array(head.utf8) + other)
                return try await connection.answer()
            }
            #expect(tampered.status == 403 && tampered.code == "InvalidSignatureException")
            // The same with a stated hash, which the signature covers instead of the body.
            request.headers.append(("x-amz-content-sha256", SHA256Hasher.hash(request.body).hex))
            let stated = try request.head()
            let differing = try await server.connected { connection in
                try await connection.send(Array(stated.utf8) + other)
                return try await connection.answer()
            }
            #expect(differing.status == 403)
            #expect(differing.message?.hasPrefix("The value passed in as x-amz-content-sha256 does not match") == true)
            #expect(server.operations.state.withLock { $0.calls } == [])
        }
    }

    @Test func theBodyOfAnUploadIsSignedByItsStatedHashOnly() async throws {
        try await TestServer.run { server in
            var request = SignedText.archive(Array("good".utf8))
            let head = try request.head()
            request.body = Array("evil".utf8)
            let body = request.body
            let answer = try await server.connected { connection in
                try await connection.send(Array(head.utf8) + body)
                return try await connection.answer()
            }
            // The engine's double compares the hashes, as the engine does.
            #expect(answer.status == 403)
            #expect(
                server.operations.state.withLock { $0.lastArchive?.linearHash } == SHA256Hasher.hash(Array("good".utf8))
            )
        }
    }
}
