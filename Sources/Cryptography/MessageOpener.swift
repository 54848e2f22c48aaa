// SPDX-License-Identifier: Apache-2.0

/// Opens any chunks of one sealed message, in any order. `init` proves that key, context and header belong together;
/// each chunk proves itself. Not Sendable: one owner at a time.
///
/// Truncation: the total length decides which chunk is the last one. Who trusts something found relative to the end (a
/// footer) must open the last chunk first.
public final class MessageOpener {
    /// Bytes of the whole plaintext.
    public let plaintextLength: UInt64
    /// Bytes of the whole message, header included.
    public let sealedLength: UInt64

    private let cipher: GCMContext
    private let baseNonce: BaseNonce

    /// Derives the keys and compares the commitment in constant time.
    public init(
        key: SecretKey, context: [UInt8], header: SealHeader, sealedLength: UInt64
    ) throws(SealError) {
        plaintextLength = try Seal.plaintextLength(sealedLength)
        self.sealedLength = sealedLength
        (cipher, baseNonce) = try unsafe Derivation.withKeys(key: key, salt: header.salt, context: context) {
            (key, nonce, commitment) throws(SealError) in
            guard constantTimeEqual(commitment, header.commitment) else { throw .wrongKeyOrContext }
            return (try unsafe GCMContext(key: key, direction: .open), nonce)
        }
    }

    /// How many chunks the message has: at least one.
    public var chunkCount: UInt64 { Seal.chunkCount(plaintextLength) }

    /// Where chunks lie in the message, counted from the first byte of the salt.
    public func sealedRange(ofChunks chunks: Range<UInt64>) -> Range<UInt64> {
        Seal.sealedRange(ofChunks: chunks, sealedLength: sealedLength)
    }

    /// Which plaintext bytes chunks hold.
    public func plaintextRange(ofChunks chunks: Range<UInt64>) -> Range<UInt64> {
        let size = UInt64(Seal.chunkBytes)
        return min(chunks.lowerBound * size, plaintextLength)..<min(chunks.upperBound * size, plaintextLength)
    }

    /// Opens consecutive chunks. Bytes count as released only if this returns: on any error the output is wiped.
    /// - Parameters:
    ///   - chunks: within `0..<chunkCount`.
    ///   - ciphertext: exactly the bytes of `sealedRange(ofChunks:)`.
    ///   - output: at least as many bytes as `plaintextRange(ofChunks:)`; must not overlap the ciphertext.
    /// - Returns: how many plaintext bytes were written.
    public func open(
        chunks: Range<UInt64>, ciphertext: RawSpan, into output: UnsafeMutableRawBufferPointer
    ) throws(SealError) -> Int {
        precondition(chunks.upperBound <= chunkCount, "chunks lie inside the message")
        let expected = sealedRange(ofChunks: chunks).count
        guard ciphertext.byteCount == expected else {
            throw .invalidLength(expected: UInt64(expected), actual: UInt64(ciphertext.byteCount))
        }
        let plaintextBytes = plaintextRange(ofChunks: chunks).count
        precondition(output.count >= plaintextBytes, "output too small for the opened bytes")
        return try unsafe ciphertext.withUnsafeBytes { input throws(SealError) in
            var read = 0
            var written = 0
            for chunk in chunks {
                let body = min(Seal.chunkBytes, input.count - read - Seal.tagBytes)
                do throws(SealError) {
                    try cipher.begin(chunk: chunk, nonce: baseNonce)
                    try unsafe cipher.update(
                        UnsafeRawBufferPointer(rebasing: input[read..<(read + body)]),
                        into: UnsafeMutableRawBufferPointer(rebasing: output[written..<(written + body)]))
                    let tag = (read + body)..<(read + body + Seal.tagBytes)
                    guard try unsafe cipher.verify(tag: UnsafeRawBufferPointer(rebasing: input[tag])) else {
                        throw .tampered(chunk: chunk)
                    }
                } catch {
                    unsafe Libcrypto.wipe(UnsafeMutableRawBufferPointer(rebasing: output[..<plaintextBytes]))
                    throw error
                }
                read += body + Seal.tagBytes
                written += body
            }
            return written
        }
    }
}
