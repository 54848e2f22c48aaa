// SPDX-License-Identifier: Apache-2.0

/// The three parameters of an `Authorization` header, parsed:
/// `AWS4-HMAC-SHA256 Credential=<key id>/<scope>, SignedHeaders=<a;b>, Signature=<hex>`.
///
/// The parameters may come in any order, with or without blanks after the commas; each exactly once, no others.
public struct AuthorizationHeader: Hashable, Sendable {
    /// The only algorithm there is.
    public static let algorithm = "AWS4-HMAC-SHA256"

    /// Which access key signed.
    public let accessKeyID: String
    /// What the signature is good for.
    public let scope: CredentialScope
    /// Lower-case names in ascending order, each once.
    public let signedHeaders: [String]
    /// As sent; compared with the calculated one in constant time, so its form is not judged before.
    public let signature: String

    /// Parses the header's value.
    /// - Parameters:
    ///   - value: the header's value, blanks at its ends allowed.
    ///   - dateMissing: the request has no date header; then the list of what is missing says so too.
    /// - Throws: `SignatureError.incomplete` saying what is missing, repeated, too large or malformed. The header's
    ///   value as a whole is never quoted: with another scheme it may be a password.
    public init(parsing value: String, dateMissing: Bool = false) throws(SignatureError) {
        guard value.utf8.count <= SignatureLimits.authorizationBytes else {
            throw .incomplete("Authorization header is longer than \(SignatureLimits.authorizationBytes) bytes.")
        }
        let bytes = Text.trimmed(value.utf8).utf8
        let schemeEnd = bytes.firstIndex(where: Text.isSpace) ?? bytes.endIndex
        guard String(decoding: bytes[..<schemeEnd], as: UTF8.self) == Self.algorithm else {
            throw .incomplete(
                "Authorization header must use the algorithm '\(Self.algorithm)' (AWS Signature Version 4).")
        }
        let parameters = try Self.parameters(bytes[schemeEnd...])
        var missing = ["Credential", "Signature", "SignedHeaders"].filter { (parameters[$0] ?? "").isEmpty }
            .map { "Authorization header requires '\($0)' parameter." }
        if dateMissing { missing.append(Self.dateRequired) }
        guard missing.isEmpty, let credential = parameters["Credential"], let signature = parameters["Signature"],
            let signedHeaders = parameters["SignedHeaders"]
        else { throw .incomplete(missing.joined(separator: " ")) }
        (accessKeyID, scope) = try CredentialScope.parse(credential: credential)
        self.signedHeaders = try Self.signedHeaders(parsing: signedHeaders)
        self.signature = signature
    }

    static let dateRequired =
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."

    /// Splits a `SignedHeaders` list and insists on its canonical form, so that a list has one reading only.
    static func signedHeaders(parsing list: String) throws(SignatureError) -> [String] {
        let names = list.utf8.split(
            separator: UInt8(ascii: ";"), maxSplits: SignatureLimits.signedHeaders, omittingEmptySubsequences: false
        ).map { String(decoding: $0, as: UTF8.self) }
        guard names.count <= SignatureLimits.signedHeaders else {
            throw .incomplete("SignedHeaders lists more than \(SignatureLimits.signedHeaders) names.")
        }
        guard names.allSatisfy({ Text.isToken($0) && Text.lowercased($0) == $0 }) else {
            throw .incomplete("SignedHeaders must be a list of lower-case header names separated by ';'.")
        }
        guard zip(names, names.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw .incomplete("SignedHeaders must be sorted and must not repeat a name.")
        }
        return names
    }

    private static func parameters(
        _ bytes: Substring.UTF8View.SubSequence
    ) throws(SignatureError) -> [String: String] {
        var found: [String: String] = [:]
        for piece in bytes.split(separator: UInt8(ascii: ",")) {
            let part = Text.trimmed(piece)
            guard !part.isEmpty else { continue }
            guard let equals = part.utf8.firstIndex(of: UInt8(ascii: "=")) else {
                throw .incomplete(
                    "'\(Text.excerpt(part))' not a valid key=value pair (missing equal-sign) in Authorization header.")
            }
            let name = String(decoding: part.utf8[..<equals], as: UTF8.self)
            guard ["Credential", "SignedHeaders", "Signature"].contains(name) else {
                throw .incomplete("Authorization header has the unknown parameter '\(Text.excerpt(name))'.")
            }
            let content = String(decoding: part.utf8[part.utf8.index(after: equals)...], as: UTF8.self)
            guard found.updateValue(content, forKey: name) == nil else {
                throw .incomplete("Authorization header repeats the parameter '\(name)'.")
            }
        }
        return found
    }
}
