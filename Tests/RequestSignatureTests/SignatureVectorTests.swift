// SPDX-License-Identifier: Apache-2.0

import Cryptography
import RequestSignature
import Testing

/// Every case of Tests/Vectors/sigv4.json: what botocore signs, and what must fail and how.
@Suite struct SignatureVectorTests {
    @Test func theVectorFileHoldsBothKindsOfCase() {
        #expect(SignatureVector.all.count >= 100)
        #expect(Set(SignatureVector.all.map(\.expect)) == ["verified", "mismatch", "invalid", "incomplete", "missing"])
    }

    @Test(arguments: SignatureVector.all)
    func theVerifierAgreesWithTheVector(_ vector: SignatureVector) throws {
        let body = try #require(SHA256Digest(hex: vector.bodySHA256))
        let failure = Example.failure(
            vector.request, body: body, secret: vector.secret, now: SignatureTimestamp(secondsSinceEpoch: vector.now))
        let kind =
            switch failure {
            case nil: "verified"
            case .missingAuthentication: "missing"
            case .incomplete: "incomplete"
            case .invalid: "invalid"
            case .mismatch: "mismatch"
            }
        #expect(kind == vector.expect, "\(failure.map { "\($0)" } ?? "no failure")")
        if let text = vector.message { #expect(failure?.message.contains(text) == true, "\(failure?.message ?? "")") }
    }

    /// A wrong secret makes the verifier show its texts, so they can be compared with botocore's.
    @Test(arguments: SignatureVector.all.filter { $0.canonicalRequest != nil })
    func theCanonicalTextsAreBotocores(_ vector: SignatureVector) throws {
        let body = try #require(SHA256Digest(hex: vector.bodySHA256))
        let failure = Example.failure(
            vector.request, body: body, secret: "wrong", now: SignatureTimestamp(secondsSinceEpoch: vector.now))
        let canonical = try #require(vector.canonicalRequest)
        #expect(
            failure == .mismatch(canonicalRequest: canonical, stringToSign: try #require(vector.stringToSign)),
            "\(failure.map { "\($0)" } ?? "no failure")")
    }

    @Test(arguments: SignatureVector.all.filter(\.resign))
    func theSignerMakesTheHeaderBotocoreMakes(_ vector: SignatureVector) throws {
        let ours = ["authorization", "x-amz-date", "x-amz-security-token"]
        let unsigned = SignedRequest(
            method: vector.method, rawTarget: vector.target,
            headers: vector.request.headers.filter { !ours.contains($0.name.lowercased()) })
        let signer = Example.signer(token: vector.header("x-amz-security-token"))
        let added = try signer.sign(
            unsigned, payloadHash: try #require(SHA256Digest(hex: vector.bodySHA256)), at: Example.now)
        for (name, value) in added { #expect(value == vector.header(name)) }
        #expect(added.map(\.name).last == "authorization")
    }
}
