// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// Why a request is not authenticated. All of them are the caller's to mend; none says anything about the secret.
public enum SignatureError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The request carries no authentication at all.
    case missingAuthentication
    /// The authentication cannot be understood; the text lists what is missing or wrong.
    case incomplete(String)
    /// Understood, but not acceptable: scope, date, unsigned host, or a body that differs from its stated hash.
    case invalid(String)
    /// Everything is in order but the signature differs from the one calculated over these two texts.
    case mismatch(canonicalRequest: String, stringToSign: String)

    /// The error code on the wire.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        /// Answered with status 400.
        case missingAuthenticationToken = "MissingAuthenticationTokenException"
        /// Answered with status 400.
        case incompleteSignature = "IncompleteSignatureException"
        /// Answered with status 403.
        case invalidSignature = "InvalidSignatureException"
    }

    /// Which exception the caller is told.
    public var code: Code {
        switch self {
        case .missingAuthentication: .missingAuthenticationToken
        case .incomplete: .incompleteSignature
        case .invalid, .mismatch: .invalidSignature
        }
    }

    /// The documented text for the caller. Existing clients match on substrings of it.
    public var message: String {
        switch self {
        case .missingAuthentication:
            "Missing Authentication Token"
        case .incomplete(let text), .invalid(let text):
            text
        case .mismatch(let canonicalRequest, let stringToSign):
            """
            The request signature we calculated does not match the signature you provided. Check your AWS Secret \
            Access Key and signing method. Consult the service documentation for details.

            The Canonical String for this request should have been
            '\(canonicalRequest)'

            The String-to-Sign should have been
            '\(stringToSign)'

            """
        }
    }

    public var description: String { "\(code.rawValue): \(message)" }

    /// The error for a body that does not have the hash its `x-amz-content-sha256` header stated.
    public static func payloadDiffers(computed: SHA256Digest, stated: String) -> SignatureError {
        .invalid(
            "The value passed in as x-amz-content-sha256 does not match the computed payload hash. "
                + "Computed digest: \(computed.hex) expected hash: \(stated)")
    }
}
