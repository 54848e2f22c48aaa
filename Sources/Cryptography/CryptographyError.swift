// SPDX-License-Identifier: Apache-2.0

/// Why a value could not become a key, or why libcrypto is not usable.
public enum CryptographyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Key material had the wrong number of bytes.
    case invalidKeyLength(expected: Int, actual: Int)
    /// The libcrypto found at run time is not an OpenSSL 3.x.
    case unsupportedLibrary(found: String)
    /// libcrypto lacks an algorithm that Coldvault needs, for example under a restrictive provider configuration.
    case missingAlgorithm(String)
    /// A public key that is none, or with which every agreement would have the same result.
    case unusablePublicKey
    /// libcrypto failed at something that cannot fail but for want of memory.
    case libraryFailure(String)

    public var description: String {
        switch self {
        case .invalidKeyLength(let expected, let actual):
            "key material must be exactly \(expected) bytes, got \(actual); check the file or field it was read from"
        case .unsupportedLibrary(let found):
            "OpenSSL 3.x is required at run time, found \(found); install libssl3 from your distribution"
        case .missingAlgorithm(let name):
            "libcrypto does not offer \(name); check the provider section of openssl.cnf"
        case .unusablePublicKey:
            "the public key is not usable; compare it with the one that its owner gave out"
        case .libraryFailure(let what):
            "libcrypto failed at \(what); free memory and try again"
        }
    }
}
