// SPDX-License-Identifier: Apache-2.0

import Cryptography
import RequestSignature
import Testing

/// The signing examples of the Glacier developer guide, to the last digit.
@Suite struct PublishedExampleTests {
    private let host = (name: "Host", value: "glacier.us-east-1.amazonaws.com")
    private let version = (name: "x-amz-glacier-version", value: "2012-06-01")

    @Test func creatingAVaultIsSignedAsPublished() throws {
        let request = SignedRequest(method: "PUT", rawTarget: "/-/vaults/examplevault", headers: [host, version])
        let date = try #require(SignatureTimestamp(basic: "20120525T002453Z"))
        let added = try Example.signer().sign(request, payloadHash: Example.emptyDigest, at: date)
        #expect(
            added.last?.value == "AWS4-HMAC-SHA256 "
                + "Credential=AKIAIOSFODNN7EXAMPLE/20120525/us-east-1/glacier/aws4_request, "
                + "SignedHeaders=host;x-amz-date;x-amz-glacier-version, "
                + "Signature=3ce5b2f2fffac9262b4da9256f8d086b4aaf42eba5f111c21681a65a127b7c2a")
        let signed = SignedRequest(
            method: request.method, rawTarget: request.rawTarget, headers: request.headers + added)
        #expect(Example.failure(signed, now: date) == nil)
    }

    @Test func theCanonicalRequestOfThatExampleHasThePublishedHash() throws {
        let date = try #require(SignatureTimestamp(basic: "20120525T002453Z"))
        let request = SignedRequest(method: "PUT", rawTarget: "/-/vaults/examplevault", headers: [host, version])
        let added = try Example.signer().sign(request, payloadHash: Example.emptyDigest, at: date)
        let signed = SignedRequest(
            method: request.method, rawTarget: request.rawTarget, headers: request.headers + added)
        guard case .mismatch(let canonical, let stringToSign) = Example.failure(signed, secret: "x", now: date) else {
            Issue.record("A wrong secret must be a mismatch.")
            return
        }
        let hash = "5f1da1a2d0feb614dd03d71e87928b8e449ac87614479332aced3a701f916743"
        #expect(SHA256Hasher.hash(Array(canonical.utf8)).hex == hash)
        #expect(
            stringToSign
                == "AWS4-HMAC-SHA256\n20120525T002453Z\n20120525/us-east-1/glacier/aws4_request\n\(hash)")
    }

    @Test func uploadingAnArchiveIsSignedAsPublished() throws {
        let body = SHA256Hasher.hash(Array("Welcome to Amazon Glacier.".utf8))
        #expect(body.hex == "726e392cb4d09924dbad1cc0ba3b00c3643d03d14cb4b823e2f041cff612a628")
        let request = SignedRequest(
            method: "POST", rawTarget: "/-/vaults/examplevault/archives",
            headers: [host, version, (name: "x-amz-content-sha256", value: body.hex)])
        let date = try #require(SignatureTimestamp(basic: "20120507T000000Z"))
        let added = try Example.signer().sign(request, payloadHash: body, at: date)
        #expect(
            added.last?.value.hasSuffix(
                "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-glacier-version, "
                    + "Signature=b092397439375d59119072764a1e9a144677c43d9906fd98a5742c57a2855de6") == true)
    }
}
