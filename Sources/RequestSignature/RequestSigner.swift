// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// The client's side of Signature Version 4: makes the headers, or the presigned target, that authenticate a request.
///
/// Pure and safe to use from many tasks at once. Each sign derives its key anew (four HMACs, microseconds).
public struct RequestSigner: Sendable {
    /// Headers that intermediaries or HTTP libraries change on the way and that are therefore never signed.
    static let unsignedHeaders: Set<String> = [
        "authorization", "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "te",
        "trailer", "transfer-encoding", "upgrade", "user-agent", "x-amzn-trace-id",
    ]

    /// Who signs.
    public let credentials: Credentials
    /// The region of the credential scope, such as `us-east-1`.
    public let region: String
    /// The service of the credential scope.
    public let service: String

    /// A signer for one set of credentials, region and service.
    public init(credentials: Credentials, region: String, service: String = "glacier") {
        self.credentials = credentials
        self.region = region
        self.service = service
    }

    /// Signs a request that will be sent with exactly this target and these headers.
    ///
    /// `request` must hold `Host` as it will go over the wire (with the port unless it is the scheme's default) and
    /// every other header that matters; all of them but the hop-by-hop ones get signed. Put `x-amz-content-sha256`
    /// among them for uploads; it must be `payloadHash` in hex.
    /// - Parameters:
    ///   - request: the request without authentication.
    ///   - payloadHash: SHA-256 of the whole body; of no bytes when there is none.
    ///   - timestamp: now; the server accepts five minutes either way.
    /// - Returns: the headers to add before sending: `x-amz-date`, `x-amz-security-token` if the credentials have a
    ///   token, and `authorization`.
    /// - Throws: `SigningError`. To retry, sign the original request again with a new timestamp.
    public func sign(
        _ request: SignedRequest, payloadHash: SHA256Digest, at timestamp: SignatureTimestamp
    ) throws(SigningError) -> [(name: String, value: String)] {
        let scope = try scope(at: timestamp)
        var added = [(name: "x-amz-date", value: timestamp.text)]
        if let token = credentials.sessionToken { added.append((name: "x-amz-security-token", value: token)) }
        for name in ["authorization", "x-amz-date", "x-amz-security-token"]
        where request.headers.contains(where: { Text.lowercased($0.name) == name }) {
            throw .alreadySigned(header: name)
        }
        let table = HeaderTable(request.headers + added)
        if let stated = table.joined("x-amz-content-sha256"), stated != payloadHash.hex { throw .payloadHashDiffers }
        let signedHeaders = try signedHeaders(of: table)
        let canonical = CanonicalRequest(
            method: request.method, target: WireTarget(request.rawTarget), excludingSignature: false, headers: table,
            signedHeaders: signedHeaders)
        let signature = SigningKey(secret: credentials.secret, scope: scope)
            .sign(canonical.stringToSign(payload: payloadHash.hex, timestamp: timestamp, scope: scope)).hex
        let authorization =
            "\(AuthorizationHeader.algorithm) Credential=\(credentials.accessKeyID)/\(scope), "
            + "SignedHeaders=\(signedHeaders.joined(separator: ";")), Signature=\(signature)"
        return added + [(name: "authorization", value: authorization)]
    }

    /// Makes a target that authenticates itself by its query, so that it can be handed to somebody without credentials.
    ///
    /// Whoever uses it must send every header of `request` unchanged.
    /// - Parameters:
    ///   - request: the request without authentication.
    ///   - payloadHash: SHA-256 of the body that will be sent; of no bytes for a download.
    ///   - timestamp: when its life begins, usually now.
    ///   - expiresSeconds: how long the target is good for, 1...604,800.
    /// - Returns: path and query with the `X-Amz-…` parameters appended, `X-Amz-Signature` last.
    /// - Throws: `SigningError`.
    public func presign(
        _ request: SignedRequest, payloadHash: SHA256Digest, at timestamp: SignatureTimestamp, expiresSeconds: Int64
    ) throws(SigningError) -> String {
        guard (1...SignatureLimits.presignedSeconds).contains(expiresSeconds) else {
            throw .unusable(
                "A presigned request lives 1 to \(SignatureLimits.presignedSeconds) s, not \(expiresSeconds).")
        }
        let scope = try scope(at: timestamp)
        let table = HeaderTable(request.headers)
        let signedHeaders = try signedHeaders(of: table)
        var parameters = [
            ("X-Amz-Algorithm", AuthorizationHeader.algorithm),
            ("X-Amz-Credential", "\(credentials.accessKeyID)/\(scope)"),
            ("X-Amz-Date", timestamp.text), ("X-Amz-Expires", String(expiresSeconds)),
            ("X-Amz-SignedHeaders", signedHeaders.joined(separator: ";")),
        ]
        if let token = credentials.sessionToken { parameters.append(("X-Amz-Security-Token", token)) }
        let query = parameters.map { "\($0)=\(PercentEncoding.encode($1.utf8, keepingSlash: false))" }
            .joined(separator: "&")
        let target = request.rawTarget + (request.rawTarget.utf8.contains(UInt8(ascii: "?")) ? "&" : "?") + query
        let canonical = CanonicalRequest(
            method: request.method, target: WireTarget(target), excludingSignature: true, headers: table,
            signedHeaders: signedHeaders)
        let payload = table.joined("x-amz-content-sha256") ?? payloadHash.hex
        let signature = SigningKey(secret: credentials.secret, scope: scope)
            .sign(canonical.stringToSign(payload: payload, timestamp: timestamp, scope: scope)).hex
        return "\(target)&\(QueryAuthentication.signatureName)=\(signature)"
    }

    private func scope(at timestamp: SignatureTimestamp) throws(SigningError) -> CredentialScope {
        let scope = CredentialScope(date: timestamp.date, region: region, service: service)
        do {
            _ = try CredentialScope.parse(credential: "\(credentials.accessKeyID)/\(scope)")
        } catch {
            throw .unusable("Check access key id, region and service: \(error.message)")
        }
        return scope
    }

    private func signedHeaders(of table: HeaderTable) throws(SigningError) -> [String] {
        guard table.joined("host") != nil else { throw .hostMissing }
        let names = table.names.filter { !Self.unsignedHeaders.contains($0) }.sorted()
        guard names.count <= SignatureLimits.signedHeaders, names.allSatisfy(Text.isToken) else {
            throw .unusable("At most \(SignatureLimits.signedHeaders) well-formed header names can be signed.")
        }
        return names
    }
}
