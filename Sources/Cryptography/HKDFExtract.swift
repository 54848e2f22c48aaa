// SPDX-License-Identifier: Apache-2.0

/// HKDF with Extract (RFC 5869 section 2.2), for secrets that are not uniformly random: results of an agreement, keys that others chose.
extension HKDFSHA512 {
    /// Length of what Extract gives.
    public static let extractedBytes = 64

    /// HMAC-SHA-512 of the input under the salt, which need not be secret and may be empty.
    public static func extract(salt: [UInt8], input: UnsafeRawBufferPointer) -> SecretBytes {
        unsafe withUnsafeTemporaryAllocation(byteCount: extractedBytes, alignment: 8) { code in
            defer { unsafe Libcrypto.wipe(code) }
            unsafe salt.withUnsafeBytes { salt in
                var computation = unsafe HMACComputation(.sha512, key: salt)
                unsafe computation.update(input)
                unsafe computation.finish(into: code)
            }
            return unsafe SecretBytes(copying: UnsafeRawBufferPointer(code))
        }
    }

    /// A key out of a secret that is not uniformly random: Extract with `salt`, then Expand with `info`.
    public static func derive(from secret: SecretKey, salt: [UInt8], info: [UInt8]) -> SecretKey {
        let extracted = unsafe secret.withUnsafeBytes { unsafe extract(salt: salt, input: $0) }
        let storage = unsafe SecretStorage(count: SecretKey.byteCount) { output in
            unsafe extracted.withUnsafeBytes { unsafe expand(prk: $0, info: info, into: output) }
        }
        return SecretKey(storage: storage)
    }
}
