// SPDX-License-Identifier: Apache-2.0

/// Why a request cannot be signed: always a mistake in how the signer was called or set up.
public enum SigningError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The request has no `Host` header, which every signature must cover.
    case hostMissing
    /// The request already carries this header, which only the signer sets. Sign the unsigned request again instead.
    case alreadySigned(header: String)
    /// The request's own `x-amz-content-sha256` is not the payload hash given.
    case payloadHashDiffers
    /// This value cannot be expressed in a signature; the text says which and why.
    case unusable(String)

    public var description: String {
        switch self {
        case .hostMissing: "The request has no Host header; add it before signing."
        case .alreadySigned(let header): "The request already has the header \(header); sign the request without it."
        case .payloadHashDiffers: "The x-amz-content-sha256 header differs from the payload hash to be signed."
        case .unusable(let reason): reason
        }
    }
}
