// SPDX-License-Identifier: Apache-2.0

/// The authentication parameters of a presigned request's query, parsed.
struct QueryAuthentication: Hashable, Sendable {
    static let signatureName = "X-Amz-Signature"
    private static let required = [
        "X-Amz-Algorithm", "X-Amz-Credential", signatureName, "X-Amz-SignedHeaders", "X-Amz-Date", "X-Amz-Expires",
    ]
    private static let tokenName = "X-Amz-Security-Token"

    let accessKeyID: String
    let scope: CredentialScope
    let signedHeaders: [String]
    let signature: String
    let timestamp: SignatureTimestamp
    let expiresSeconds: Int64
    let sessionToken: String?

    /// True when the query makes any attempt to authenticate.
    static func isPresent(in target: WireTarget) -> Bool {
        target.query.contains { pair in
            ["X-Amz-Algorithm", "X-Amz-Credential", signatureName].contains { pair.name.elementsEqual($0.utf8) }
        }
    }

    init(parsing target: WireTarget) throws(SignatureError) {
        var found: [String: String] = [:]
        for (rawName, rawValue) in target.query {
            let name = String(decoding: rawName, as: UTF8.self)
            guard Self.required.contains(name) || name == Self.tokenName else { continue }
            guard found.updateValue(String(decoding: rawValue, as: UTF8.self), forKey: name) == nil else {
                throw .incomplete("AWS query-string parameter '\(name)' must be given once.")
            }
        }
        let missing = Self.required.filter { (found[$0] ?? "").isEmpty }
        guard missing.isEmpty, let credential = found["X-Amz-Credential"], let signature = found[Self.signatureName],
            let names = found["X-Amz-SignedHeaders"], let date = found["X-Amz-Date"],
            let expires = found["X-Amz-Expires"]
        else {
            throw .incomplete(
                missing.map { "AWS query-string parameters must include '\($0)'." }.joined(separator: " ")
                    + " Re-examine the query-string parameters.")
        }
        guard found["X-Amz-Algorithm"] == AuthorizationHeader.algorithm else {
            throw .incomplete("X-Amz-Algorithm must be '\(AuthorizationHeader.algorithm)'.")
        }
        guard let timestamp = SignatureTimestamp(basic: date) else {
            throw .incomplete(ParsedAuthentication.dateMalformed(date))
        }
        guard expires.utf8.count <= 6, expires.utf8.allSatisfy(Text.isDigit), let seconds = Int64(expires),
            (1...SignatureLimits.presignedSeconds).contains(seconds)
        else {
            throw .incomplete(
                "X-Amz-Expires must be a number of seconds from 1 to \(SignatureLimits.presignedSeconds).")
        }
        (accessKeyID, scope) = try CredentialScope.parse(credential: credential)
        signedHeaders = try AuthorizationHeader.signedHeaders(parsing: names)
        self.signature = signature
        self.timestamp = timestamp
        expiresSeconds = seconds
        sessionToken = found[Self.tokenName]
    }
}
