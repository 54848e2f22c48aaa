// SPDX-License-Identifier: Apache-2.0

import Cryptography
import TreeHash
import VaultModel

@testable import RequestSignature

/// Writes signed request heads as text, so that a test can also bend them.
struct SignedText {
    var method: String
    var target: String
    var headers: [(name: String, value: String)] = [("x-amz-glacier-version", "2012-06-01")]
    /// Sent, but not covered by the signature.
    var unsigned: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// Nil: the body's own length; negative: no Content-Length at all.
    var length: Int?
    var secret = FakeOperations.secret
    var accessKeyID = FakeOperations.accessKeyID
    var region = "us-east-1"
    var sessionToken: String?
    /// Signs even the headers that our own signer leaves out, as the SDK for Java signs `user-agent`.
    var signsEverything = false

    init(_ method: String, _ target: String) {
        self.method = method
        self.target = target
    }

    /// An UploadArchive of `body`.
    static func archive(_ body: [UInt8], vault: String = "v") -> SignedText {
        var request = SignedText("POST", "/-/vaults/\(vault)/archives")
        request.body = body
        request.headers += hashes(of: body)
        return request
    }

    static func hashes(of body: [UInt8]) -> [(name: String, value: String)] {
        [
            ("x-amz-content-sha256", SHA256Hasher.hash(body).hex),
            ("x-amz-sha256-tree-hash", TreeHash.hash(of: body).hex),
        ]
    }

    private var signer: RequestSigner {
        RequestSigner(
            credentials: Credentials(
                accessKeyID: accessKeyID, secret: SecretBytes(bytes: Array(secret.utf8)), sessionToken: sessionToken),
            region: region)
    }
    private var lines: [(name: String, value: String)] { [(name: "Host", value: "127.0.0.1")] + headers }
    private var payloadHash: SHA256Digest {
        let stated = headers.first { $0.name.lowercased() == "x-amz-content-sha256" }
        return stated.flatMap { SHA256Digest(hex: $0.value) } ?? SHA256Hasher.hash(body)
    }
    private func timestamp(secondsAgo: Int64 = 0) -> SignatureTimestamp {
        SignatureTimestamp(secondsSinceEpoch: FakeOperations.moment.milliseconds / 1000 - secondsAgo)
    }

    private func text(_ target: String, _ lines: [(name: String, value: String)]) -> String {
        var lines = lines + unsigned
        if (length ?? 0) >= 0 { lines.append((name: "Content-Length", value: String(length ?? body.count))) }
        return "\(method) \(target) HTTP/1.1\r\n" + lines.map { "\($0.name): \($0.value)\r\n" }.joined() + "\r\n"
    }

    func head() throws -> String {
        if signsEverything { return try headSigningEverything() }
        let added = try signer.sign(
            SignedRequest(method: method, rawTarget: target, headers: lines), payloadHash: payloadHash,
            at: timestamp())
        return text(target, lines + added)
    }

    private func headSigningEverything() throws -> String {
        let timestamp = timestamp()
        let scope = CredentialScope(date: timestamp.date, region: region, service: "glacier")
        let lines = self.lines + [(name: "x-amz-date", value: timestamp.text)]
        let table = HeaderTable(lines)
        let names = table.names.sorted()
        let canonical = CanonicalRequest(
            method: method, target: WireTarget(target), excludingSignature: false, headers: table, signedHeaders: names)
        let signature = SigningKey(secret: SecretBytes(bytes: Array(secret.utf8)), scope: scope)
            .sign(canonical.stringToSign(payload: payloadHash.hex, timestamp: timestamp, scope: scope)).hex
        let authorization =
            "AWS4-HMAC-SHA256 Credential=\(accessKeyID)/\(scope), SignedHeaders=\(names.joined(separator: ";")), "
            + "Signature=\(signature)"
        return text(target, lines + [(name: "Authorization", value: authorization)])
    }

    /// The head of a request that its query authenticates.
    func presignedHead(expiresSeconds: Int64, secondsAgo: Int64 = 0, changing: (String) -> String = { $0 }) throws
        -> String
    {
        let presigned = try signer.presign(
            SignedRequest(method: method, rawTarget: target, headers: lines), payloadHash: payloadHash,
            at: timestamp(secondsAgo: secondsAgo), expiresSeconds: expiresSeconds)
        return text(changing(presigned), lines)
    }

    func bytes() throws -> [UInt8] { Array(try head().utf8) + body }
}

extension TestServer {
    /// One request on its own connection.
    func answer(_ request: SignedText) async throws -> RawAnswer { try await answer(bytes: try request.bytes()) }

    func answer(bytes: [UInt8]) async throws -> RawAnswer {
        try await connected { connection in
            try await connection.send(bytes)
            return try await connection.answer()
        }
    }
}
