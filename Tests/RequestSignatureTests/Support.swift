// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Foundation
import RequestSignature
import Testing

/// One case of Tests/Vectors/sigv4.json; Tests/Tools/make_sigv4_vectors.py says what the members mean.
struct SignatureVector: Decodable, Sendable, CustomTestStringConvertible {
    let name: String
    let method: String
    let target: String
    let headers: [[String]]
    let bodySHA256: String
    let secret: String
    let region: String
    let service: String
    let now: Int64
    let expect: String
    let canonicalRequest: String?
    let stringToSign: String?
    let message: String?
    let resign: Bool

    var testDescription: String { name }

    var request: SignedRequest {
        SignedRequest(method: method, rawTarget: target, headers: headers.map { (name: $0[0], value: $0[1]) })
    }

    func header(_ name: String) -> String? {
        headers.first { $0[0].lowercased() == name }.map { $0[1] }
    }

    static let all: [SignatureVector] = {
        struct File: Decodable { let cases: [SignatureVector] }
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Vectors/sigv4.json")
        do {
            return try JSONDecoder().decode(File.self, from: Data(contentsOf: path)).cases
        } catch {
            fatalError("Tests/Vectors/sigv4.json cannot be read: \(error)")
        }
    }()
}

/// The documented example credentials and requests of the tests.
enum Example {
    static let accessKeyID = "AKIAIOSFODNN7EXAMPLE"
    static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    static let now = SignatureTimestamp(secondsSinceEpoch: 1_772_368_496)  // 2026-03-01T12:34:56Z
    static let emptyDigest = SHA256Hasher.hash([UInt8]())
    static let verifier = SignatureVerifier(regions: ["us-east-1", "us-west-2"])

    static func signer(token: String? = nil, region: String = "us-east-1") -> RequestSigner {
        RequestSigner(
            credentials: Credentials(
                accessKeyID: accessKeyID, secret: SecretBytes(bytes: Array(secret.utf8)), sessionToken: token),
            region: region)
    }

    static func request(
        _ method: String = "GET", _ target: String = "/-/vaults", _ more: [(name: String, value: String)] = []
    ) -> SignedRequest {
        SignedRequest(
            method: method, rawTarget: target,
            headers: [
                (name: "Host", value: "vault.example"), (name: "x-amz-glacier-version", value: "2012-06-01"),
            ] + more)
    }

    static func signed(_ request: SignedRequest, body: SHA256Digest = emptyDigest) throws -> SignedRequest {
        let added = try signer().sign(request, payloadHash: body, at: now)
        return SignedRequest(method: request.method, rawTarget: request.rawTarget, headers: request.headers + added)
    }

    /// All three steps, as a server takes them.
    static func verify(
        _ request: SignedRequest, body: SHA256Digest = emptyDigest, secret: String = secret,
        now: SignatureTimestamp = now, verifier: SignatureVerifier = verifier
    ) throws(SignatureError) {
        let checked = try verifier.check(ParsedAuthentication(parsing: request), now: now)
        let key = SigningKey(secret: SecretBytes(bytes: Array(secret.utf8)), scope: checked.parsed.scope)
        try checked.verify(bodyDigest: body, key: key)
    }

    /// The error of those steps; nil when the request is believed.
    static func failure(
        _ request: SignedRequest, body: SHA256Digest = emptyDigest, secret: String = secret,
        now: SignatureTimestamp = now, verifier: SignatureVerifier = verifier
    ) -> SignatureError? {
        do {
            try verify(request, body: body, secret: secret, now: now, verifier: verifier)
            return nil
        } catch {
            return error
        }
    }
}

/// SplitMix64: the same choices for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// `PROPERTY_SEED` or a fresh one; tests print it with every failure.
    static func freshSeed() -> UInt64 {
        ProcessInfo.processInfo.environment["PROPERTY_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0 ... .max)
    }

    /// `PROPERTY_CASES` or 100.
    static var cases: Int { ProcessInfo.processInfo.environment["PROPERTY_CASES"].flatMap { Int($0) } ?? 100 }
}
