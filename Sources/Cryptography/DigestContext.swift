// SPDX-License-Identifier: Apache-2.0

import CLibcrypto

/// One libcrypto hash context, reused from message to message without an allocation.
///
/// A hash verb of libcrypto fails only when memory is exhausted or the library is broken. Both trap: a wrong digest is
/// worse than a crash.
@safe
struct DigestContext: ~Copyable {
    private let context: OpaquePointer
    private let algorithm: OpaquePointer

    init(_ algorithm: OpaquePointer) {
        guard let context = unsafe EVP_MD_CTX_new() else { preconditionFailure("out of memory for a hash context") }
        unsafe self.context = context
        unsafe self.algorithm = algorithm
        reset()
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Begins a new message.
    mutating func reset() {
        let result = unsafe EVP_DigestInit_ex2(context, algorithm, nil)
        precondition(result == 1, "libcrypto could not begin a hash")
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        let result = unsafe EVP_DigestUpdate(context, base, bytes.count)
        precondition(result == 1, "libcrypto could not continue a hash")
    }

    /// Writes the digest; the buffer must hold the algorithm's digest length. `reset()` before the next message.
    mutating func finish(into digest: UnsafeMutableRawBufferPointer) {
        let size = unsafe Int(EVP_MD_get_size(algorithm))
        precondition(digest.count >= size, "digest buffer too small")
        let target = unsafe digest.assumingMemoryBound(to: UInt8.self)
        let result = unsafe EVP_DigestFinal_ex(context, target.baseAddress, nil)
        precondition(result == 1, "libcrypto could not finish a hash")
    }
}
