// SPDX-License-Identifier: Apache-2.0

import CLZ4

/// Why compressed bytes were refused.
public enum CompressionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes are not an LZ4 block of exactly the expected length.
    case malformed(expectedBytes: Int)
    /// A length is outside what the LZ4 block format can hold.
    case unsupportedLength(Int)

    public var description: String {
        switch self {
        case .malformed(let expected): "the bytes are not an LZ4 block of \(expected) bytes"
        case .unsupportedLength(let length): "an LZ4 block cannot hold \(length) bytes"
        }
    }
}

/// The LZ4 block format (no frame header, no checksum): the whole input is one block, and its inflated length is known
/// from elsewhere. Compressed bytes differ between library versions; inflated bytes never do.
public enum LZ4Block {
    /// The longest input.
    public static let maxInputBytes = Int(LZ4_MAX_INPUT_SIZE)

    /// The most bytes that `byteCount` bytes can become, for buffers that must take any result.
    public static func maxCompressedBytes(_ byteCount: Int) -> Int {
        precondition(byteCount >= 0 && byteCount <= maxInputBytes, "input too long for an LZ4 block")
        return Int(LZ4_compressBound(Int32(byteCount)))
    }

    /// Compresses if the result fits `limit` bytes.
    /// - Parameters:
    ///   - output: at least `limit` bytes; must not overlap the input.
    ///   - limit: the most bytes worth having; incompressible input is given up on quickly.
    /// - Returns: the compressed length, or nil if it would exceed `limit`. Empty input is never worth compressing.
    public static func compress(
        _ input: RawSpan, into output: UnsafeMutableRawBufferPointer, limit: Int
    ) -> Int? {
        precondition(input.byteCount <= maxInputBytes, "input too long for an LZ4 block")
        precondition(limit <= output.count, "output smaller than the limit")
        guard input.byteCount > 0, limit > 0 else { return nil }
        let written = unsafe input.withUnsafeBytes { input in
            unsafe LZ4_compress_default(
                input.assumingMemoryBound(to: CChar.self).baseAddress,
                output.assumingMemoryBound(to: CChar.self).baseAddress, Int32(input.count), Int32(limit))
        }
        return written > 0 ? Int(written) : nil
    }

    /// Inflates a block that must hold exactly `byteCount` bytes.
    /// - Parameter output: at least `byteCount` bytes; must not overlap the input. On an error its content is
    ///   undefined.
    public static func decompress(
        _ input: RawSpan, into output: UnsafeMutableRawBufferPointer, exactly byteCount: Int
    ) throws(CompressionError) {
        precondition(byteCount >= 0 && byteCount <= output.count, "output smaller than the block")
        guard byteCount <= maxInputBytes else { throw .unsupportedLength(byteCount) }
        guard input.byteCount > 0, input.byteCount <= Int(Int32.max) else {
            throw .unsupportedLength(input.byteCount)
        }
        let written = unsafe input.withUnsafeBytes { input in
            unsafe LZ4_decompress_safe(
                input.assumingMemoryBound(to: CChar.self).baseAddress,
                output.assumingMemoryBound(to: CChar.self).baseAddress, Int32(input.count), Int32(byteCount))
        }
        guard Int(written) == byteCount else { throw .malformed(expectedBytes: byteCount) }
    }
}
