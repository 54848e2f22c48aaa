// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// An authentication whose scope and time are acceptable; only its signature remains to be verified.
public struct CheckedAuthentication: Hashable, Sendable {
    /// What was parsed and checked.
    public let parsed: ParsedAuthentication

    init(parsed: ParsedAuthentication) {
        self.parsed = parsed
    }

    /// Verifies the signature before the body is read, with the body hash the request states.
    ///
    /// Afterwards the body must still be compared: `verifyBody`.
    /// - Throws: `.mismatch`; `.invalid` when the request states no hash, since then its signature cannot be judged
    ///   before the body is known.
    public func verify(key: SigningKey) throws(SignatureError) {
        guard let stated = parsed.statedPayload else {
            throw .invalid("The signature cannot be verified without the header x-amz-content-sha256.")
        }
        try verify(payload: stated.text, key: key)
    }

    /// Verifies signature and body together, for a body that was read whole: `bodyDigest` is its SHA-256 (of no bytes
    /// when there is none).
    /// - Throws: `.mismatch`, or `.invalid` when the request states another body hash.
    public func verify(bodyDigest: SHA256Digest, key: SigningKey) throws(SignatureError) {
        try verify(payload: parsed.statedPayload?.text ?? bodyDigest.hex, key: key)
        try verifyBody(digest: bodyDigest)
    }

    /// Compares a body with the hash the request states, if it states one.
    /// - Throws: `.invalid` with the service's text, naming both hashes.
    public func verifyBody(digest: SHA256Digest) throws(SignatureError) {
        guard let stated = parsed.statedPayload, stated.digest != digest else { return }
        throw .payloadDiffers(computed: digest, stated: stated.text)
    }

    private func verify(payload: String, key: SigningKey) throws(SignatureError) {
        precondition(key.scope == parsed.scope, "The signing key must be derived for the request's own scope.")
        let stringToSign = parsed.canonical.stringToSign(
            payload: payload, timestamp: parsed.timestamp, scope: parsed.scope)
        let calculated = key.sign(stringToSign).hex
        guard constantTimeEqual(Array(calculated.utf8), Array(parsed.signature.utf8)) else {
            throw .mismatch(canonicalRequest: parsed.canonical.text(payload: payload), stringToSign: stringToSign)
        }
    }
}
