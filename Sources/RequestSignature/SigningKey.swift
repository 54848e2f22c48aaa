// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// The key that signs the requests of one access key for one credential scope.
///
/// Deriving it costs four HMACs, so a server may keep it: one entry per access key and scope, dropped when the access
/// key is disabled or its scope's date has passed. It is wiped when the last copy goes.
public struct SigningKey: Sendable {
    /// What the key is good for.
    public let scope: CredentialScope
    private let material: SecretKey

    /// Derives HMAC(HMAC(HMAC(HMAC("AWS4" + secret, date), region), service), "aws4_request").
    public init(secret: SecretBytes, scope: CredentialScope) {
        var seed = secret.withUnsafeBytes { Array("AWS4".utf8) + Array($0) }
        // The array is the one copy this function makes of the secret.
        defer { for index in seed.indices { seed[index] = 0 } }
        var key = seed.withUnsafeBytes { HMACSHA256.authenticate(Array(scope.date.utf8), key: $0) }
        for element in [scope.region, scope.service, CredentialScope.terminator] {
            key = key.withUnsafeBytes { HMACSHA256.authenticate(Array(element.utf8), key: $0) }
        }
        do {
            material = try key.withUnsafeBytes { (bytes) throws(CryptographyError) in try SecretKey(copying: bytes) }
        } catch {
            preconditionFailure("A SHA-256 digest has the length of a key: \(error)")
        }
        self.scope = scope
    }

    /// The signature of a string to sign.
    func sign(_ stringToSign: String) -> SHA256Digest {
        material.withUnsafeBytes { HMACSHA256.authenticate(Array(stringToSign.utf8), key: $0) }
    }
}
