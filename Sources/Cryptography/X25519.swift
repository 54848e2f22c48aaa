// SPDX-License-Identifier: Apache-2.0

import CLibcrypto

/// Agreement on a secret with somebody of whom only 32 public bytes are known: X25519 (RFC 7748).
///
/// The shared secret is not uniformly random: it goes through ``HKDFSHA512/derive(from:salt:info:)`` before it is a key.
public enum X25519 {
    /// Length of a public key.
    public static let publicKeyBytes = RawKeyPair.publicKeyBytes

    /// The public key of a secret key of 32 random bytes.
    public static func publicKey(secret: SecretKey) throws(CryptographyError) -> [UInt8] {
        try RawKeyPair(.x25519, secret: secret).publicKey()
    }

    /// What both ends compute. Throws `.unusablePublicKey` for a peer's key that would make the secret the same for everybody.
    public static func sharedSecret(secret: SecretKey, peer: [UInt8]) throws(CryptographyError) -> SecretKey {
        let own = try RawKeyPair(.x25519, secret: secret)
        guard let other = RawKeyPair(.x25519, publicKey: peer) else { throw .unusablePublicKey }
        guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, own.pointer, nil) else {
            throw .libraryFailure("agreeing on a key")
        }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        guard unsafe EVP_PKEY_derive_init(context) == 1, unsafe EVP_PKEY_derive_set_peer(context, other.pointer) == 1 else {
            ERR_clear_error()
            throw .unusablePublicKey
        }
        var isDone = false
        let storage = unsafe SecretStorage(count: SecretKey.byteCount) { buffer in
            unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
            var count = buffer.count
            let bytes = unsafe buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
            // libcrypto refuses to give a result of nothing but zeros (RFC 7748 section 6.1).
            isDone = unsafe EVP_PKEY_derive(context, bytes, &count) == 1 && count == SecretKey.byteCount
        }
        guard isDone else {
            ERR_clear_error()
            throw .unusablePublicKey
        }
        return SecretKey(storage: storage)
    }
}
