// SPDX-License-Identifier: Apache-2.0

import Cryptography
import RequestSignature
import Testing

@Suite struct RequestSignerTests {
    @Test func aRequestWithoutHostCannotBeSigned() {
        let request = SignedRequest(method: "GET", rawTarget: "/", headers: [])
        #expect(throws: SigningError.hostMissing) {
            try Example.signer().sign(request, payloadHash: Example.emptyDigest, at: Example.now)
        }
    }

    @Test(arguments: ["Authorization", "X-Amz-Date", "x-amz-security-token"])
    func aSignedRequestCannotBeSignedAgain(_ name: String) {
        #expect(throws: SigningError.alreadySigned(header: name.lowercased())) {
            try Example.signer().sign(
                Example.request("GET", "/", [(name: name, value: "x")]), payloadHash: Example.emptyDigest,
                at: Example.now)
        }
    }

    @Test func aStatedHashMustBeThePayloads() {
        let request = Example.request("PUT", "/", [(name: "x-amz-content-sha256", value: Example.emptyDigest.hex)])
        #expect(throws: SigningError.payloadHashDiffers) {
            try Example.signer().sign(request, payloadHash: SHA256Hasher.hash([1]), at: Example.now)
        }
    }

    @Test(arguments: ["", "us east", "us/east", String(repeating: "r", count: 65)])
    func aRegionThatFitsNoScopeIsRefused(_ region: String) {
        #expect(throws: SigningError.self) {
            try Example.signer(region: region)
                .sign(Example.request(), payloadHash: Example.emptyDigest, at: Example.now)
        }
    }

    @Test(arguments: [0, -1, 604_801] as [Int64])
    func aPresignedLifeHasBounds(_ seconds: Int64) {
        #expect(throws: SigningError.self) {
            try Example.signer().presign(
                Example.request(), payloadHash: Example.emptyDigest, at: Example.now, expiresSeconds: seconds)
        }
    }

    @Test func theSessionTokenIsSentAndSigned() throws {
        let added = try Example.signer(token: "tok").sign(
            Example.request(), payloadHash: Example.emptyDigest, at: Example.now)
        #expect(added.map(\.name) == ["x-amz-date", "x-amz-security-token", "authorization"])
        #expect(added.last?.value.contains(";x-amz-security-token") == true)
    }

    @Test func theSecretShowsInNoDescription() {
        #expect(!"\(Example.signer())".contains(Example.secret))
        let scope = CredentialScope(date: "20260301", region: "us-east-1", service: "glacier")
        let key = SigningKey(secret: SecretBytes(bytes: Array(Example.secret.utf8)), scope: scope)
        #expect(!String(reflecting: key).contains(Example.secret))
    }
}
