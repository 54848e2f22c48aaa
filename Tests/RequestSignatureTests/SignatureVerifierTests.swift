// SPDX-License-Identifier: Apache-2.0

import Cryptography
import RequestSignature
import Testing

@Suite struct SignatureVerifierTests {
    @Test(arguments: [-301, -300, 0, 300, 301] as [Int64])
    func theClockMayBeFiveMinutesOffAndNotASecondMore(_ seconds: Int64) throws {
        let request = try Example.signed(Example.request())
        let failure = Example.failure(request, now: Example.now.adding(seconds: seconds))
        #expect((failure == nil) == (-300...300).contains(seconds))
    }

    @Test func anExpiredSignatureNamesAllThreeTimes() throws {
        let request = try Example.signed(Example.request())
        #expect(
            Example.failure(request, now: Example.now.adding(seconds: 3_600))
                == .invalid(
                    "Signature expired: 20260301T123456Z is now earlier than 20260301T132956Z "
                        + "(20260301T133456Z - 5 min.)"))
        #expect(
            Example.failure(request, now: Example.now.adding(seconds: -3_600))
                == .invalid(
                    "Signature not yet current: 20260301T123456Z is still later than 20260301T113956Z "
                        + "(20260301T113456Z + 5 min.)"))
    }

    @Test func aSignatureIsGoodOnlyInAnAcceptedRegion() throws {
        for (region, accepted) in [("us-east-1", true), ("us-west-2", true), ("eu-north-1", false)] {
            let unsigned = Example.request()
            let added = try Example.signer(region: region)
                .sign(unsigned, payloadHash: Example.emptyDigest, at: Example.now)
            let request = SignedRequest(
                method: unsigned.method, rawTarget: unsigned.rawTarget, headers: unsigned.headers + added)
            #expect((Example.failure(request) == nil) == accepted)
        }
    }

    @Test func theMismatchTextIsTheDocumentedOne() throws {
        let request = try Example.signed(Example.request("GET", "/-/vaults?limit=5"))
        let failure = Example.failure(request, secret: "wrong")
        #expect(
            failure?.message == """
                The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                Access Key and signing method. Consult the service documentation for details.

                The Canonical String for this request should have been
                'GET
                /-/vaults
                limit=5
                host:vault.example
                x-amz-date:20260301T123456Z
                x-amz-glacier-version:2012-06-01

                host;x-amz-date;x-amz-glacier-version
                e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

                The String-to-Sign should have been
                'AWS4-HMAC-SHA256
                20260301T123456Z
                20260301/us-east-1/glacier/aws4_request
                \(try hashOfCanonical(failure))'

                """)
        #expect(failure?.code.rawValue == "InvalidSignatureException")
    }

    private func hashOfCanonical(_ failure: SignatureError?) throws -> String {
        guard case .mismatch(let canonical, _) = failure else { return "no mismatch" }
        return SHA256Hasher.hash(Array(canonical.utf8)).hex
    }

    @Test func anUploadIsJudgedBeforeItsBodyIsRead() throws {
        let body = SHA256Hasher.hash([1, 2, 3])
        let unsigned = Example.request(
            "POST", "/-/vaults/v/archives", [(name: "X-Amz-Content-Sha256", value: body.hex)])
        let parsed = try ParsedAuthentication(parsing: Example.signed(unsigned, body: body))
        #expect(parsed.statedPayload?.digest == body)
        let checked = try Example.verifier.check(parsed, now: Example.now)
        let key = SigningKey(secret: SecretBytes(bytes: Array(Example.secret.utf8)), scope: parsed.scope)
        try checked.verify(key: key)
        try checked.verifyBody(digest: body)
        let other = SHA256Hasher.hash([1, 2])
        #expect(
            throws: SignatureError.invalid(
                "The value passed in as x-amz-content-sha256 does not match the computed payload hash. "
                    + "Computed digest: \(other.hex) expected hash: \(body.hex)")
        ) { try checked.verifyBody(digest: other) }
        let wrong = SigningKey(secret: SecretBytes(bytes: [1]), scope: parsed.scope)
        #expect(throws: SignatureError.self) { try checked.verify(key: wrong) }
    }

    @Test func withoutAStatedHashTheBodyIsNeeded() throws {
        let parsed = try ParsedAuthentication(parsing: Example.signed(Example.request()))
        #expect(parsed.statedPayload == nil)
        let checked = try Example.verifier.check(parsed, now: Example.now)
        let key = SigningKey(secret: SecretBytes(bytes: Array(Example.secret.utf8)), scope: parsed.scope)
        #expect(throws: SignatureError.self) { try checked.verify(key: key) }
        #expect(throws: SignatureError.self) { try checked.verify(bodyDigest: SHA256Hasher.hash([0]), key: key) }
        try checked.verify(bodyDigest: Example.emptyDigest, key: key)
    }

    @Test func aBodyHashThatIsStatedButNotListedIsBoundAllTheSame() throws {
        let body = SHA256Hasher.hash([1, 2, 3])
        let signed = try Example.signed(Example.request("POST"), body: body)
        func stating(_ text: String) -> SignedRequest {
            SignedRequest(
                method: signed.method, rawTarget: signed.rawTarget,
                headers: signed.headers + [(name: "x-amz-content-sha256", value: text)])
        }
        #expect(Example.failure(stating(body.hex), body: body) == nil)
        guard case .mismatch = Example.failure(stating(Example.emptyDigest.hex), body: Example.emptyDigest) else {
            Issue.record("Another body under another stated hash must be a mismatch.")
            return
        }
    }

    @Test func oneSigningKeyServesManyRequestsOfItsScope() throws {
        let scope = CredentialScope(date: "20260301", region: "us-east-1", service: "glacier")
        let key = SigningKey(secret: SecretBytes(bytes: Array(Example.secret.utf8)), scope: scope)
        for target in ["/-/vaults/a", "/-/vaults/b"] {
            let parsed = try ParsedAuthentication(parsing: Example.signed(Example.request("PUT", target)))
            try Example.verifier.check(parsed, now: Example.now).verify(bodyDigest: Example.emptyDigest, key: key)
        }
    }

    @Test func theSignedPathIsTheOneToRouteBy() throws {
        let signed = try Example.signed(Example.request("GET", "/-/vaults/photos?limit=1"))
        let rewritten = SignedRequest(
            method: "GET", rawTarget: "/x/..//-/vaults/./photos?limit=1", headers: signed.headers)
        #expect(Example.failure(rewritten) == nil)
        #expect(try ParsedAuthentication(parsing: rewritten).signedPath == "/-/vaults/photos")
    }

    @Test func serviceHeadersOutsideTheSignatureAreNamed() throws {
        let signed = try Example.signed(Example.request("PUT", "/", [(name: "x-amz-b", value: "1")]))
        #expect(try ParsedAuthentication(parsing: signed).unsignedServiceHeaders == [])
        let added = [(name: "X-Amz-Z", value: "1"), (name: "x-other", value: "2"), (name: "x-amz-a", value: "3")]
        let more = SignedRequest(method: "PUT", rawTarget: "/", headers: signed.headers + added)
        #expect(Example.failure(more) == nil)
        #expect(try ParsedAuthentication(parsing: more).unsignedServiceHeaders == ["x-amz-a", "x-amz-z"])
    }

    @Test func theNumberOfQueryParametersIsBounded() throws {
        let limit = SignatureLimits.queryParameters
        for (count, accepted) in [(limit, true), (limit + 1, false)] {
            let target = "/?" + Array(repeating: "a", count: count).joined(separator: "&")
            #expect((Example.failure(try Example.signed(Example.request("GET", target))) == nil) == accepted)
        }
    }

    @Test func theTargetAndTheNumberOfHeadersAreBounded() throws {
        func failure(target: Int, lines: Int) throws -> SignatureError? {
            let base = Example.request("GET", "/" + String(repeating: "a", count: target - 1))
            let signed = try Example.signed(base)
            let filler = Array(repeating: (name: "y", value: "z"), count: lines - signed.headers.count)
            return Example.failure(
                SignedRequest(method: "GET", rawTarget: signed.rawTarget, headers: signed.headers + filler))
        }
        let (target, lines) = (SignatureLimits.targetBytes, SignatureLimits.headerLines)
        #expect(try failure(target: target, lines: lines) == nil)
        #expect(try failure(target: target + 1, lines: lines)?.code == .incompleteSignature)
        #expect(try failure(target: target, lines: lines + 1)?.code == .incompleteSignature)
    }

    @Test(arguments: ["", "GE T", "GET\n", "GÉT"])
    func aMalformedMethodIsRefused(_ method: String) throws {
        let signed = try Example.signed(Example.request())
        let request = SignedRequest(method: method, rawTarget: signed.rawTarget, headers: signed.headers)
        #expect(Example.failure(request)?.code == .incompleteSignature)
    }

    @Test func aPresignedRequestLivesAsLongAsItSaysAndNotASecondMore() throws {
        let unsigned = Example.request("GET", "/-/vaults?limit=1")
        let target = try Example.signer(token: "tok/en+=").presign(
            unsigned, payloadHash: Example.emptyDigest, at: Example.now, expiresSeconds: 900)
        let request = SignedRequest(method: "GET", rawTarget: target, headers: unsigned.headers)
        let parsed = try ParsedAuthentication(parsing: request)
        #expect(parsed.expiresSeconds == 900)
        #expect(parsed.sessionToken == "tok/en+=")
        let moments: [(Int64, Bool)] = [(-301, false), (-300, true), (0, true), (900, true), (901, false)]
        for (offset, accepted) in moments {
            #expect((Example.failure(request, now: Example.now.adding(seconds: offset)) == nil) == accepted)
        }
    }
}
