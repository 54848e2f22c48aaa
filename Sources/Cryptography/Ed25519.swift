// SPDX-License-Identifier: Apache-2.0

import CLibcrypto

/// Signatures that anybody can check with 32 public bytes: Ed25519 (RFC 8032, pure, no context).
///
/// The caller separates domains by what it signs; a key signs for one purpose only.
public enum Ed25519 {
    /// Length of a signature.
    public static let signatureBytes = 64
    /// Length of a public key.
    public static let publicKeyBytes = RawKeyPair.publicKeyBytes

    /// The public key of a 32-byte seed.
    public static func publicKey(seed: SecretKey) throws(CryptographyError) -> [UInt8] {
        try RawKeyPair(.ed25519, secret: seed).publicKey()
    }

    /// Signs a whole message; the same message and seed always give the same 64 bytes.
    public static func sign(_ message: [UInt8], seed: SecretKey) throws(CryptographyError) -> [UInt8] {
        let pair = try RawKeyPair(.ed25519, secret: seed)
        guard let context = unsafe EVP_MD_CTX_new() else { throw .libraryFailure("signing") }
        defer { unsafe EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: signatureBytes)
        var count = signature.count
        let isDone = unsafe message.withUnsafeBufferPointer { message in
            unsafe signature.withUnsafeMutableBufferPointer { signature in
                unsafe EVP_DigestSignInit(context, nil, nil, nil, pair.pointer) == 1
                    && EVP_DigestSign(context, signature.baseAddress, &count, message.baseAddress, message.count) == 1
            }
        }
        guard isDone, count == signatureBytes else { throw .libraryFailure("signing") }
        return signature
    }

    /// Whether `signature` is that of `message` under the public key. Bytes that are no signature or no key are simply not valid.
    public static func isValid(_ signature: [UInt8], of message: [UInt8], publicKey: [UInt8]) -> Bool {
        guard signature.count == signatureBytes, let key = RawKeyPair(.ed25519, publicKey: publicKey),
            let context = unsafe EVP_MD_CTX_new()
        else { return false }
        defer {
            unsafe EVP_MD_CTX_free(context)
            // A wrong signature leaves its reason in the thread's queue; nobody reads it.
            ERR_clear_error()
        }
        return unsafe message.withUnsafeBufferPointer { message in
            unsafe signature.withUnsafeBufferPointer { signature in
                unsafe EVP_DigestVerifyInit(context, nil, nil, nil, key.pointer) == 1
                    && EVP_DigestVerify(
                        context, signature.baseAddress, signature.count, message.baseAddress, message.count) == 1
            }
        }
    }
}
