// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// The key pair that requests are signed with. The secret is wiped when the last copy goes and never printed.
public struct AccessCredentials: Sendable, CustomStringConvertible {
    /// The public half, sent with every request.
    public let accessKeyID: String
    /// The secret half; never sent, never logged.
    public let secret: SecretBytes
    /// Sent and signed as `x-amz-security-token`; only with temporary credentials.
    public let sessionToken: String?
    /// Where they were found, for messages.
    public let origin: String

    /// A key pair; `origin` is for messages.
    public init(accessKeyID: String, secret: SecretBytes, sessionToken: String?, origin: String) {
        self.accessKeyID = accessKeyID
        self.secret = secret
        self.sessionToken = sessionToken
        self.origin = origin
    }

    init(accessKeyID: String, secret: String, sessionToken: String?, origin: String) {
        self.init(
            accessKeyID: accessKeyID, secret: SecretBytes(bytes: Array(secret.utf8)), sessionToken: sessionToken,
            origin: origin)
    }

    /// The access key id and where it was found, never the secret.
    public var description: String { "access key \(accessKeyID) from \(origin)" }
}

/// One place where credentials may be; nil means "not here, ask the next".
protocol CredentialSource: Sendable {
    func credentials() throws(ClientError) -> AccessCredentials?
}
