// SPDX-License-Identifier: Apache-2.0

import CLibcrypto

/// The two curves in use, by libcrypto's names.
enum Curve {
    case ed25519, x25519

    var name: StaticString {
        switch self {
        case .ed25519: "ED25519"
        case .x25519: "X25519"
        }
    }
}

/// A libcrypto key object over 32 raw bytes, freed when it goes.
@safe
struct RawKeyPair: ~Copyable {
    static let publicKeyBytes = 32

    private let key: OpaquePointer
    var pointer: OpaquePointer { unsafe key }

    /// A key pair from its 32 secret bytes. libcrypto keeps a copy and wipes it when it is freed.
    init(_ curve: Curve, secret: SecretKey) throws(CryptographyError) {
        let made: OpaquePointer? = unsafe secret.withUnsafeBytes { bytes in
            unsafe EVP_PKEY_new_raw_private_key_ex(
                nil, Self.text(curve), nil, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
        }
        guard let made = unsafe made else { throw .libraryFailure("making a key of \(curve.name)") }
        unsafe key = made
    }

    /// A public key alone, or nil when the bytes are none.
    init?(_ curve: Curve, publicKey: [UInt8]) {
        guard publicKey.count == Self.publicKeyBytes else { return nil }
        let made: OpaquePointer? = unsafe publicKey.withUnsafeBufferPointer { bytes in
            unsafe EVP_PKEY_new_raw_public_key_ex(nil, Self.text(curve), nil, bytes.baseAddress, bytes.count)
        }
        guard let made = unsafe made else {
            ERR_clear_error()
            return nil
        }
        unsafe key = made
    }

    deinit { unsafe EVP_PKEY_free(key) }

    /// The 32 bytes that others may know.
    func publicKey() throws(CryptographyError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.publicKeyBytes)
        var count = bytes.count
        let isDone = unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            unsafe EVP_PKEY_get_raw_public_key(key, buffer.baseAddress, &count)
        }
        guard isDone == 1, count == Self.publicKeyBytes else { throw .libraryFailure("deriving a public key") }
        return bytes
    }

    private static func text(_ curve: Curve) -> UnsafePointer<CChar> {
        unsafe UnsafeRawPointer(curve.name.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
