// SPDX-License-Identifier: Apache-2.0

/// The key schedule of a sealed message. Docs/Formats/Seal-v1.md, "Derivation".
enum Derivation {
    static let saltBytes = 24
    static let nonceBytes = 12
    static let commitmentBytes = 32
    private static let outputBytes = SecretKey.byteCount + nonceBytes + commitmentBytes
    private static let label = Array("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM".utf8) + [0]

    /// Derives, lends the message key and gives the base nonce and commitment. The derived key is wiped on return.
    static func withKeys<R>(
        key: SecretKey, salt: [UInt8], context: [UInt8],
        _ body: (_ key: UnsafeRawBufferPointer, _ nonce: BaseNonce, _ commitment: [UInt8]) throws(SealError) -> R
    ) throws(SealError) -> R {
        let info = label + salt + context
        let result: Result<R, SealError> = unsafe withUnsafeTemporaryAllocation(
            byteCount: outputBytes, alignment: 8
        ) { output in
            defer { unsafe Libcrypto.wipe(output) }
            unsafe key.withUnsafeBytes { unsafe HKDFSHA512.expand(prk: $0, info: info, into: output) }
            let keyEnd = SecretKey.byteCount
            let nonceEnd = keyEnd + nonceBytes
            do throws(SealError) {
                return .success(
                    try unsafe body(
                        UnsafeRawBufferPointer(rebasing: output[..<keyEnd]),
                        BaseNonce(UnsafeRawBufferPointer(rebasing: output[keyEnd..<nonceEnd])),
                        Array(output[nonceEnd...])))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}

/// The nonce of chunk 0; chunk i uses it XOR i as a 12-byte big-endian integer.
struct BaseNonce {
    private let high: UInt32
    private let low: UInt64

    init(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Derivation.nonceBytes, "a nonce is 12 bytes")
        high = unsafe bytes[0..<4].reduce(0) { $0 << 8 | UInt32($1) }
        low = unsafe bytes[4..<12].reduce(0) { $0 << 8 | UInt64($1) }
    }

    func write(chunk: UInt64, into nonce: UnsafeMutableRawBufferPointer) {
        unsafe nonce.storeBytes(of: high.bigEndian, as: UInt32.self)
        unsafe nonce.storeBytes(of: (low ^ chunk).bigEndian, toByteOffset: 4, as: UInt64.self)
    }
}
