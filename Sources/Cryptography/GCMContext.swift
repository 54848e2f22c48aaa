// SPDX-License-Identifier: Apache-2.0

import CLibcrypto

/// One libcrypto AES-256-GCM context for one direction and one message key, reused from chunk to chunk. The key
/// schedule inside is wiped when the context goes. Owned by one task at a time.
@safe
final class GCMContext {
    enum Direction { case seal, open }

    private let context: OpaquePointer
    private let direction: Direction

    init(key: UnsafeRawBufferPointer, direction: Direction) throws(SealError) {
        precondition(key.count == SecretKey.byteCount, "AES-256 takes a 32-byte key")
        guard let context = unsafe EVP_CIPHER_CTX_new() else { throw .libraryFailure("EVP_CIPHER_CTX_new") }
        let bytes = unsafe key.assumingMemoryBound(to: UInt8.self).baseAddress
        let cipher = unsafe Libcrypto.aes256GCM
        let result =
            switch direction {
            case .seal: unsafe EVP_EncryptInit_ex2(context, cipher, bytes, nil, nil)
            case .open: unsafe EVP_DecryptInit_ex2(context, cipher, bytes, nil, nil)
            }
        unsafe self.context = context
        self.direction = direction
        guard result == 1 else { throw .libraryFailure("EVP_CipherInit") }
    }

    deinit { unsafe EVP_CIPHER_CTX_free(context) }

    /// Starts a chunk.
    func begin(chunk: UInt64, nonce base: BaseNonce) throws(SealError) {
        let result = unsafe withUnsafeTemporaryAllocation(byteCount: Derivation.nonceBytes, alignment: 8) { nonce in
            unsafe base.write(chunk: chunk, into: nonce)
            let bytes = unsafe nonce.assumingMemoryBound(to: UInt8.self).baseAddress
            return switch direction {
            case .seal: unsafe EVP_EncryptInit_ex2(context, nil, nil, bytes, nil)
            case .open: unsafe EVP_DecryptInit_ex2(context, nil, nil, bytes, nil)
            }
        }
        guard result == 1 else { throw .libraryFailure("EVP_CipherInit") }
    }

    /// Transforms bytes of the current chunk; input and output have the same length, at most one chunk.
    func update(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws(SealError) {
        guard let source = input.baseAddress, let target = output.baseAddress, input.count > 0 else { return }
        precondition(output.count >= input.count && input.count <= Seal.chunkBytes, "a chunk's buffer is too small")
        let from = unsafe source.assumingMemoryBound(to: UInt8.self)
        let to = unsafe target.assumingMemoryBound(to: UInt8.self)
        var written: Int32 = 0
        let result =
            switch direction {
            case .seal: unsafe EVP_EncryptUpdate(context, to, &written, from, Int32(input.count))
            case .open: unsafe EVP_DecryptUpdate(context, to, &written, from, Int32(input.count))
            }
        guard result == 1, Int(written) == input.count else { throw .libraryFailure("EVP_CipherUpdate") }
    }

    /// Ends the chunk being sealed and writes its 16-byte tag.
    func finishSealing(tag: UnsafeMutableRawBufferPointer) throws(SealError) {
        precondition(direction == .seal && tag.count >= Seal.tagBytes, "a tag's buffer is too small")
        var written: Int32 = 0
        var nothing: (UInt64, UInt64) = (0, 0)
        let finished = unsafe withUnsafeMutableBytes(of: &nothing) { rest in
            unsafe EVP_EncryptFinal_ex(context, rest.assumingMemoryBound(to: UInt8.self).baseAddress, &written)
        }
        let fetched = unsafe EVP_CIPHER_CTX_ctrl(
            context, EVP_CTRL_AEAD_GET_TAG, Int32(Seal.tagBytes), tag.baseAddress)
        guard finished == 1, fetched == 1 else { throw .libraryFailure("EVP_EncryptFinal") }
    }

    /// Ends the chunk being opened: whether its tag fits. The caller must discard the chunk's bytes if not.
    func verify(tag: UnsafeRawBufferPointer) throws(SealError) -> Bool {
        precondition(direction == .open && tag.count == Seal.tagBytes, "a tag is 16 bytes")
        let set = unsafe EVP_CIPHER_CTX_ctrl(
            context, EVP_CTRL_AEAD_SET_TAG, Int32(Seal.tagBytes), UnsafeMutableRawPointer(mutating: tag.baseAddress))
        guard set == 1 else { throw .libraryFailure("EVP_CTRL_AEAD_SET_TAG") }
        var written: Int32 = 0
        var nothing: (UInt64, UInt64) = (0, 0)
        return unsafe withUnsafeMutableBytes(of: &nothing) { rest in
            unsafe EVP_DecryptFinal_ex(context, rest.assumingMemoryBound(to: UInt8.self).baseAddress, &written) == 1
        }
    }
}
