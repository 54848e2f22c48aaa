// SPDX-License-Identifier: Apache-2.0

/// The one sealing primitive of Coldvault: C2SP chunked-encryption with AES-256-GCM and HKDF-Expand-SHA-512
/// ("Cobblestone-256"). Docs/Formats/Seal-v1.md.
///
/// A message is `salt(24) ‖ commitment(32) ‖ chunks`; every chunk carries 16,384 bytes and a 16-byte tag, and the last
/// one always fewer, possibly none. This namespace has the arithmetic of lengths and offsets, and the one-shot verbs
/// for small messages; `MessageSealer` and `MessageOpener` stream and seek.
public enum Seal {
    /// Plaintext bytes of every chunk but the last.
    public static let chunkBytes = 16384
    /// Bytes of a chunk's authentication tag.
    public static let tagBytes = 16
    /// Bytes of salt and commitment, before the first chunk.
    public static let headerBytes = 56
    /// Bytes of a full chunk as stored.
    public static let sealedChunkBytes = chunkBytes + tagBytes
    /// A message has fewer chunks than this.
    public static let chunkLimit: UInt64 = 1 << 38
    /// The longest plaintext: one byte less than would fill the last allowed chunk.
    public static let maxPlaintextBytes: UInt64 = (chunkLimit - 1) * UInt64(chunkBytes) - 1

    /// How many bytes a plaintext of `plaintext` bytes takes when sealed.
    public static func sealedLength(_ plaintext: UInt64) -> UInt64 {
        precondition(plaintext <= maxPlaintextBytes, "a sealed message has fewer than 2^38 chunks")
        return UInt64(headerBytes) + plaintext + UInt64(tagBytes) * chunkCount(plaintext)
    }

    /// How many chunks a plaintext has: always at least one.
    public static func chunkCount(_ plaintext: UInt64) -> UInt64 { plaintext / UInt64(chunkBytes) + 1 }

    /// The plaintext length of a message of `sealed` bytes; refuses every length that no whole message has.
    public static func plaintextLength(_ sealed: UInt64) throws(SealError) -> UInt64 {
        guard sealed >= UInt64(headerBytes + tagBytes) else { throw .truncated }
        let (full, rest) = (sealed - UInt64(headerBytes)).quotientAndRemainder(dividingBy: UInt64(sealedChunkBytes))
        guard rest >= UInt64(tagBytes) else { throw .truncated }
        guard full < chunkLimit - 1 else { throw .messageTooLong }
        return full * UInt64(chunkBytes) + rest - UInt64(tagBytes)
    }

    /// The chunks that hold a range of the plaintext. An empty range gives no chunk.
    public static func chunkRange(forPlaintext range: Range<UInt64>) -> Range<UInt64> {
        let first = range.lowerBound / UInt64(chunkBytes)
        guard !range.isEmpty else { return first..<first }
        return first..<((range.upperBound - 1) / UInt64(chunkBytes) + 1)
    }

    /// Where chunks lie in a message of `sealedLength` bytes, counted from the first byte of the salt.
    public static func sealedRange(ofChunks chunks: Range<UInt64>, sealedLength: UInt64) -> Range<UInt64> {
        let start = UInt64(headerBytes) + chunks.lowerBound * UInt64(sealedChunkBytes)
        let end = UInt64(headerBytes) + chunks.upperBound * UInt64(sealedChunkBytes)
        return min(start, sealedLength)..<min(end, sealedLength)
    }

    /// Seals a small message at once: `header ‖ chunks`.
    public static func seal(
        _ plaintext: RawSpan, key: SecretKey, context: [UInt8], random: some RandomByteSource
    ) throws(SealError) -> [UInt8] {
        let sealer = try MessageSealer(key: key, context: context, random: random)
        return try seal(plaintext, with: sealer)
    }

    /// Seals a small message at once: `header ‖ chunks`.
    public static func seal(
        _ plaintext: [UInt8], key: SecretKey, context: [UInt8], random: some RandomByteSource
    ) throws(SealError) -> [UInt8] {
        try unsafe seal(plaintext.span.bytes, key: key, context: context, random: random)
    }

    /// Opens a small message at once. Nothing is returned unless every chunk verified and the message is whole.
    public static func open(_ sealed: RawSpan, key: SecretKey, context: [UInt8]) throws(SealError) -> [UInt8] {
        let length = try plaintextLength(UInt64(sealed.byteCount))
        let header = SealHeader(span: sealed.extracting(0..<headerBytes))
        let opener = try MessageOpener(
            key: key, context: context, header: header, sealedLength: UInt64(sealed.byteCount))
        var plaintext = [UInt8](repeating: 0, count: Int(length))
        _ = try unsafe plaintext.withUnsafeMutableBytesTyped { buffer throws(SealError) in
            try unsafe opener.open(
                chunks: 0..<opener.chunkCount, ciphertext: sealed.extracting(headerBytes..<sealed.byteCount),
                into: buffer)
        }
        return plaintext
    }

    /// Opens a small message at once. Nothing is returned unless every chunk verified and the message is whole.
    public static func open(_ sealed: [UInt8], key: SecretKey, context: [UInt8]) throws(SealError) -> [UInt8] {
        try unsafe open(sealed.span.bytes, key: key, context: context)
    }

    static func seal(_ plaintext: RawSpan, with sealer: MessageSealer) throws(SealError) -> [UInt8] {
        let total = Int(sealedLength(UInt64(plaintext.byteCount)))
        var sealed = sealer.header.bytes
        sealed.reserveCapacity(total)
        sealed.append(contentsOf: repeatElement(0, count: total - headerBytes))
        let written = try unsafe sealed.withUnsafeMutableBytesTyped { buffer throws(SealError) -> Int in
            let body = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[headerBytes...])
            let first = try unsafe sealer.seal(plaintext, into: body)
            return try unsafe first + sealer.finish(into: UnsafeMutableRawBufferPointer(rebasing: body[first...]))
        }
        precondition(written == total - headerBytes, "a sealed message has the length its plaintext determines")
        return sealed
    }
}

extension Array where Element == UInt8 {
    /// `withUnsafeMutableBytes` that keeps the error's type.
    mutating func withUnsafeMutableBytesTyped<R, E: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        let result: Result<R, E> = unsafe withUnsafeMutableBytes { buffer in
            do throws(E) { return .success(try unsafe body(buffer)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
