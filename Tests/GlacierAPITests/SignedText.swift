// SPDX-License-Identifier: Apache-2.0

import Cryptography
import RequestSignature
import TreeHash
import VaultModel

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

    func head() throws -> String {
        let signer = RequestSigner(
            credentials: Credentials(accessKeyID: accessKeyID, secret: SecretBytes(bytes: Array(secret.utf8))),
            region: region)
        var lines = [(name: "Host", value: "127.0.0.1")] + headers
        let stated = headers.first { $0.name == "x-amz-content-sha256" }.flatMap { SHA256Digest(hex: $0.value) }
        let added = try signer.sign(
            SignedRequest(method: method, rawTarget: target, headers: lines),
            payloadHash: stated ?? SHA256Hasher.hash(body),
            at: SignatureTimestamp(secondsSinceEpoch: FakeOperations.moment.milliseconds / 1000))
        lines += added + unsigned
        if (length ?? 0) >= 0 { lines.append((name: "Content-Length", value: String(length ?? body.count))) }
        return "\(method) \(target) HTTP/1.1\r\n" + lines.map { "\($0.name): \($0.value)\r\n" }.joined() + "\r\n"
    }

    func bytes() throws -> [UInt8] { Array(try head().utf8) + body }
}

extension TestServer {
    /// One request on its own connection.
    func answer(_ request: SignedText) async throws -> RawAnswer {
        let bytes = try request.bytes()
        return try await connected { connection in
            try await connection.send(bytes)
            return try await connection.answer()
        }
    }
}
