// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// A request's claim about who sent it, parsed but not yet believed: the first of three steps.
///
///     SignedRequest ──parse──▶ ParsedAuthentication ──check──▶ CheckedAuthentication ──verify──▶ believed
///
/// Between the steps a server looks up the access key. The parsed value keeps the canonical text of its request, so a
/// later step cannot be handed another request by mistake.
public struct ParsedAuthentication: Hashable, Sendable {
    /// Which access key the request claims to come from.
    public let accessKeyID: String
    /// The credential scope it claims.
    public let scope: CredentialScope
    /// When it was signed: `x-amz-date`, or else `Date`, or the `X-Amz-Date` parameter of a presigned request.
    public let timestamp: SignatureTimestamp
    /// How long a presigned request is good for; nil when the request authenticates by its header.
    public let expiresSeconds: Int64?
    /// The session token of temporary credentials.
    public let sessionToken: String?
    /// Names the signature covers: lower case, ascending, each present in the request.
    public let signedHeaders: [String]
    /// What `x-amz-content-sha256` says about the body, if anything.
    public let statedPayload: StatedPayload?
    /// `x-amz-…` headers of the request that somebody on the way could have added or changed; ascending.
    ///
    /// Not an error: the service's own guide shows a client that leaves one out. A server that acts on such a header may
    /// refuse the request instead.
    public let unsignedServiceHeaders: [String]
    /// The path the signature covers: `.`, `..` and empty segments resolved, percent-encoding as on the wire.
    ///
    /// Route by this one: two wire paths with the same signed path are one request to the signer.
    public let signedPath: String

    let signature: String
    let canonical: CanonicalRequest

    /// A stated body hash: the text is signed literally, the digest is what the body must have.
    public struct StatedPayload: Hashable, Sendable {
        /// As in the header, 64 hexadecimal digits of either case.
        public let text: String
        /// The same as a value.
        public let digest: SHA256Digest
    }

    /// Parses the authentication of a request, by header or by query.
    /// - Throws: `.missingAuthentication` when there is none; `.incomplete` when it cannot be understood or exceeds
    ///   `SignatureLimits`; `.invalid` when `host` is not signed, a signed header is absent, or the stated body hash is
    ///   not a hash.
    public init(parsing request: SignedRequest) throws(SignatureError) {
        guard request.rawTarget.utf8.count <= SignatureLimits.targetBytes else {
            throw .incomplete("The request target is longer than \(SignatureLimits.targetBytes) bytes.")
        }
        guard request.headers.count <= SignatureLimits.headerLines else {
            throw .incomplete("The request has more than \(SignatureLimits.headerLines) header lines.")
        }
        guard Text.isToken(request.method) else { throw .incomplete("The request method is malformed.") }
        let target = WireTarget(request.rawTarget)
        guard target.query.count <= SignatureLimits.queryParameters else {
            throw .incomplete("The query has more than \(SignatureLimits.queryParameters) parameters.")
        }
        let headers = HeaderTable(request.headers)
        // As sent, not folded, so that the limit counts every byte.
        let authorization = request.headers.filter { Text.lowercased($0.name) == "authorization" }.map(\.value)
        let byQuery = QueryAuthentication.isPresent(in: target)
        guard authorization.count <= 1, authorization.isEmpty || !byQuery else {
            throw .incomplete("Authenticate once: by one Authorization header or by query-string parameters.")
        }
        if byQuery {
            let query = try QueryAuthentication(parsing: target)
            (accessKeyID, scope, signedHeaders) = (query.accessKeyID, query.scope, query.signedHeaders)
            (signature, timestamp, sessionToken) = (query.signature, query.timestamp, query.sessionToken)
            expiresSeconds = query.expiresSeconds
        } else {
            guard let value = authorization.first else { throw .missingAuthentication }
            let dates = headers.lines("x-amz-date") + headers.lines("date")
            let header = try AuthorizationHeader(parsing: value, dateMissing: dates.isEmpty)
            (accessKeyID, scope, signedHeaders) = (header.accessKeyID, header.scope, header.signedHeaders)
            (signature, timestamp) = (header.signature, try Self.timestamp(headers))
            sessionToken = headers.joined("x-amz-security-token")
            expiresSeconds = nil
        }
        guard (sessionToken ?? "").utf8.count <= SignatureLimits.sessionTokenBytes else {
            throw .incomplete("The session token is longer than \(SignatureLimits.sessionTokenBytes) bytes.")
        }
        try Self.checkSigned(signedHeaders, headers)
        statedPayload = try Self.statedPayload(headers)
        // Date and body hash are bound by lines of their own in the signed texts.
        let bound = signedHeaders + ["x-amz-date", "x-amz-content-sha256"]
        unsignedServiceHeaders = headers.names.filter { $0.hasPrefix("x-amz-") && !bound.contains($0) }.sorted()
        signedPath = target.normalizedPath
        canonical = CanonicalRequest(
            method: request.method, target: target, excludingSignature: byQuery, headers: headers,
            signedHeaders: signedHeaders)
    }

    static func dateMalformed(_ text: String) -> String {
        "Date must be in ISO-8601 'basic format'. Got '\(Text.excerpt(text))'. "
            + "See http://en.wikipedia.org/wiki/ISO_8601"
    }

    /// `x-amz-date` decides when both it and `Date` are there; either must be given once.
    private static func timestamp(_ headers: HeaderTable) throws(SignatureError) -> SignatureTimestamp {
        if let text = headers.joined("x-amz-date") {
            guard let timestamp = SignatureTimestamp(basic: text) else { throw .incomplete(dateMalformed(text)) }
            return timestamp
        }
        let text = headers.joined("date") ?? ""
        guard let timestamp = SignatureTimestamp(basic: text) ?? SignatureTimestamp(httpDate: text) else {
            throw .incomplete(dateMalformed(text))
        }
        return timestamp
    }

    private static func checkSigned(_ names: [String], _ headers: HeaderTable) throws(SignatureError) {
        guard names.contains("host") else {
            throw .invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.")
        }
        if let absent = names.first(where: { headers.lines($0).isEmpty }) {
            throw .invalid("The signed header '\(Text.excerpt(absent))' is not present in the request.")
        }
        guard headers.lines("host").count == 1 else {
            throw .invalid("The request must have exactly one 'Host' header.")
        }
    }

    /// Taken whether or not the header is among the signed ones: its text becomes the payload line, which the signature
    /// covers in any case.
    private static func statedPayload(_ headers: HeaderTable) throws(SignatureError) -> StatedPayload? {
        guard let text = headers.joined("x-amz-content-sha256") else { return nil }
        guard Text.isDigestHex(text), let digest = SHA256Digest(hex: Text.lowercased(text)) else {
            throw .invalid(
                "The value passed in as x-amz-content-sha256 must be the SHA-256 hash of the payload, "
                    + "64 hexadecimal digits, not '\(Text.excerpt(text))'.")
        }
        return StatedPayload(text: text, digest: digest)
    }
}
