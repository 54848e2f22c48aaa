// SPDX-License-Identifier: Apache-2.0

/// Seals one message as its bytes arrive. Every byte is encrypted straight from the caller's memory; none is kept.
///
/// Invariants: a salt is used for one message only (it is drawn in `init`); the chunk that is open when `finish` comes
/// is the last one and is shorter than a full one, possibly empty. Not Sendable: one owner at a time.
public final class MessageSealer {
    /// Salt and commitment: the first 56 bytes of the message, to be written before any output.
    public let header: SealHeader

    private let cipher: GCMContext
    private let baseNonce: BaseNonce
    private var chunk: UInt64 = 0
    private var chunkFill = 0
    private var isFinished = false

    /// Draws a salt and derives the message's keys.
    /// - Parameter context: an unambiguous encoding of what and where the message is; the opener must know it.
    public convenience init(key: SecretKey, context: [UInt8], random: some RandomByteSource) throws(SealError) {
        try self.init(key: key, context: context, salt: random.bytes(Derivation.saltBytes))
    }

    /// For test vectors: the salt must never repeat under one key, so nothing outside this module may choose it.
    init(key: SecretKey, context: [UInt8], salt: [UInt8]) throws(SealError) {
        (cipher, baseNonce, header) = try unsafe Derivation.withKeys(key: key, salt: salt, context: context) {
            (key, nonce, commitment) throws(SealError) in
            (
                try unsafe GCMContext(key: key, direction: .seal), nonce,
                SealHeader(salt: salt, commitment: commitment)
            )
        }
        try cipher.begin(chunk: 0, nonce: baseNonce)
    }

    /// The most bytes that one call of `seal` with `plaintextBytes` bytes writes.
    public static func maxOutputBytes(forPlaintextBytes plaintextBytes: Int) -> Int {
        plaintextBytes + (plaintextBytes / Seal.chunkBytes + 1) * Seal.tagBytes
    }

    /// The bytes that `finish` writes.
    public static let finishBytes = Seal.tagBytes

    /// Seals bytes and writes their ciphertext, and the tag of each chunk they fill, to `output`.
    /// - Parameter output: at least `maxOutputBytes(forPlaintextBytes:)` bytes; must not overlap the plaintext.
    /// - Returns: how many bytes were written.
    public func seal(_ plaintext: RawSpan, into output: UnsafeMutableRawBufferPointer) throws(SealError) -> Int {
        precondition(!isFinished, "a message is sealed once")
        precondition(
            output.count >= plaintext.byteCount + (chunkFill + plaintext.byteCount) / Seal.chunkBytes * Seal.tagBytes,
            "output too small for the sealed bytes")
        return try unsafe plaintext.withUnsafeBytes { input throws(SealError) in
            var read = 0
            var written = 0
            while read < input.count {
                let take = min(Seal.chunkBytes - chunkFill, input.count - read)
                try unsafe cipher.update(
                    UnsafeRawBufferPointer(rebasing: input[read..<(read + take)]),
                    into: UnsafeMutableRawBufferPointer(rebasing: output[written..<(written + take)]))
                read += take
                written += take
                chunkFill += take
                if chunkFill == Seal.chunkBytes {
                    guard chunk + 2 < Seal.chunkLimit else { throw .messageTooLong }
                    try unsafe cipher.finishSealing(tag: UnsafeMutableRawBufferPointer(rebasing: output[written...]))
                    written += Seal.tagBytes
                    chunk += 1
                    chunkFill = 0
                    try cipher.begin(chunk: chunk, nonce: baseNonce)
                }
            }
            return written
        }
    }

    /// Ends the message: writes the last chunk's tag. No other verb may follow.
    /// - Parameter output: at least `finishBytes` bytes.
    /// - Returns: how many bytes were written.
    public func finish(into output: UnsafeMutableRawBufferPointer) throws(SealError) -> Int {
        precondition(!isFinished, "a message is sealed once")
        isFinished = true
        try unsafe cipher.finishSealing(tag: output)
        return Seal.tagBytes
    }
}
