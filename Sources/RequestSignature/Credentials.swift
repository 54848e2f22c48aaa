// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// What a caller proves its identity with: an access key, its secret and, for temporary credentials, a session token.
public struct Credentials: Sendable {
    /// The public half, sent with each request.
    public let accessKeyID: String
    /// The secret half: never sent, never logged.
    public let secret: SecretBytes
    /// Sent as `x-amz-security-token` and covered by the signature; nil for long-term credentials.
    public let sessionToken: String?

    /// Groups the values; an access key id outside 1...128 printable characters without `/` is refused when signing.
    public init(accessKeyID: String, secret: SecretBytes, sessionToken: String? = nil) {
        self.accessKeyID = accessKeyID
        self.secret = secret
        self.sessionToken = sessionToken
    }
}
