// SPDX-License-Identifier: Apache-2.0

/// Incremental SHA-256 with a context that is reused: hashing one leaf after the other allocates nothing.
/// Owned by one task at a time.
public struct SHA256Hasher: ~Copyable {
    private var context: DigestContext

    /// Ready for the first byte.
    public init() { context = unsafe DigestContext(Libcrypto.sha256) }

    /// Adds bytes to the message.
    public mutating func update(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { unsafe update($0) }
    }

    /// Adds bytes to the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { unsafe context.update(bytes) }

    /// Adds bytes to the message.
    public mutating func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe update($0) }
    }

    /// The digest of the message so far; the hasher begins a new message.
    public mutating func finalizeAndReset() -> SHA256Digest {
        let digest = unsafe SHA256Digest { unsafe context.finish(into: $0) }
        context.reset()
        return digest
    }

    /// The digest of the message.
    public consuming func finalize() -> SHA256Digest {
        unsafe SHA256Digest { unsafe context.finish(into: $0) }
    }

    /// The digest of one whole message.
    public static func hash(_ bytes: RawSpan) -> SHA256Digest {
        var hasher = SHA256Hasher()
        hasher.update(bytes)
        return hasher.finalize()
    }

    /// The digest of one whole message.
    public static func hash(_ bytes: UnsafeRawBufferPointer) -> SHA256Digest {
        var hasher = SHA256Hasher()
        unsafe hasher.update(bytes)
        return hasher.finalize()
    }

    /// The digest of one whole message.
    public static func hash(_ bytes: [UInt8]) -> SHA256Digest {
        var hasher = SHA256Hasher()
        hasher.update(bytes)
        return hasher.finalize()
    }
}
