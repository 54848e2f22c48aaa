// SPDX-License-Identifier: Apache-2.0

/// Bounds on everything a stranger can make the verifier look at before it is known who they are.
public enum SignatureLimits {
    /// The longest `Authorization` header that is parsed.
    public static let authorizationBytes = 8 * 1024
    /// The most names one `SignedHeaders` list may hold.
    public static let signedHeaders = 100
    /// The most header lines a request may have.
    public static let headerLines = 1_000
    /// The longest request target (path and query) that is canonicalised.
    public static let targetBytes = 16 * 1024
    /// The most parameters a query may have.
    public static let queryParameters = 1_000
    /// The longest access key id.
    public static let accessKeyIDBytes = 128
    /// The longest region or service name in a credential scope.
    public static let scopeNameBytes = 64
    /// The longest session token.
    public static let sessionTokenBytes = 8 * 1024
    /// The longest life of a presigned request: seven days, the service's documented maximum.
    public static let presignedSeconds: Int64 = 604_800
}
