// SPDX-License-Identifier: Apache-2.0

import CLibcrypto

/// The algorithms, fetched once for the life of the process. OpenSSL 3 otherwise repeats the fetch (a locked table
/// look-up) at every initialisation of a context.
///
/// A fetch that fails is found by `LibcryptoVersion.check()` at start-up; later it is a programmer's error and traps.
enum Libcrypto {
    // Fetched objects are immutable and reference-counted inside libcrypto: sharing them between threads is safe.
    nonisolated(unsafe) static let sha256: OpaquePointer = unsafe digest("SHA2-256")
    nonisolated(unsafe) static let sha512: OpaquePointer = unsafe digest("SHA2-512")
    nonisolated(unsafe) static let aes256GCM: OpaquePointer = {
        guard let cipher = unsafe EVP_CIPHER_fetch(nil, "AES-256-GCM", nil) else {
            preconditionFailure("libcrypto lacks AES-256-GCM: LibcryptoVersion.check() was not called at start-up")
        }
        return unsafe cipher
    }()

    private static func digest(_ name: String) -> OpaquePointer {
        guard let algorithm = unsafe EVP_MD_fetch(nil, name, nil) else {
            preconditionFailure("libcrypto lacks \(name): LibcryptoVersion.check() was not called at start-up")
        }
        return unsafe algorithm
    }

    /// Overwrites memory that held a secret in a way the optimiser may not remove.
    static func wipe(_ buffer: UnsafeMutableRawBufferPointer) {
        if let base = buffer.baseAddress { unsafe OPENSSL_cleanse(base, buffer.count) }
    }
}

/// The start-up check of the library that does the cryptography.
public enum LibcryptoVersion {
    /// Refuses to start on anything but OpenSSL 3.x with the algorithms of suite 1. Call once, before the first key.
    /// - Returns: the version text, for the start-up log line.
    @discardableResult
    public static func check() throws(CryptographyError) -> String {
        let version = unsafe String(cString: OpenSSL_version(OPENSSL_VERSION))
        guard OPENSSL_version_major() == 3 else { throw .unsupportedLibrary(found: version) }
        for name in ["SHA2-256", "SHA2-512"] {
            guard let algorithm = unsafe EVP_MD_fetch(nil, name, nil) else { throw .missingAlgorithm(name) }
            unsafe EVP_MD_free(algorithm)
        }
        guard let cipher = unsafe EVP_CIPHER_fetch(nil, "AES-256-GCM", nil) else {
            throw .missingAlgorithm("AES-256-GCM")
        }
        unsafe EVP_CIPHER_free(cipher)
        for name in ["ED25519", "X25519"] {
            guard let context = unsafe EVP_PKEY_CTX_new_from_name(nil, name, nil) else { throw .missingAlgorithm(name) }
            unsafe EVP_PKEY_CTX_free(context)
        }
        return version
    }
}
