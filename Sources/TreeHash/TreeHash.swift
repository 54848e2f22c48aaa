// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// The SHA-256 tree hash of the Glacier API: SHA-256 of each 1 MiB leaf, then neighbours joined pairwise, level by
/// level; a digest without a right neighbour moves up unchanged.
///
/// The hash of an archive is the same rule applied to the tree hashes of its parts, as long as all parts but the last
/// have one size, a power of two MiB.
public enum TreeHash {
    /// Bytes of every leaf but the last.
    public static let leafBytes = 1 << 20

    /// Joins digests of one level (leaves, or equally large parts) to their root. No digests: the hash of nothing.
    public static func combine(_ digests: [SHA256Digest]) -> SHA256Digest {
        var hasher = TreeHasher()
        for digest in digests { hasher.append(leaf: digest) }
        return hasher.root
    }

    /// The tree hash of a byte string.
    public static func hash(of bytes: [UInt8]) -> SHA256Digest {
        bytes.withUnsafeBytes { combine(leafDigests(of: $0)) }
    }

    /// The digests of consecutive leaves: `bytes` starts on a leaf's first byte and only its last leaf may be short.
    /// This is the place where a multi-lane SHA-256 takes over; callers hand over as many leaves as they hold.
    public static func leafDigests(of bytes: UnsafeRawBufferPointer) -> [SHA256Digest] {
        var hasher = SHA256Hasher()
        var digests: [SHA256Digest] = []
        digests.reserveCapacity((bytes.count + leafBytes - 1) / leafBytes)
        for start in stride(from: 0, to: bytes.count, by: leafBytes) {
            hasher.update(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + leafBytes, bytes.count)]))
            digests.append(hasher.finalizeAndReset())
        }
        return digests
    }

    /// How many leaves `byteCount` bytes have.
    public static func leafCount(_ byteCount: UInt64) -> UInt64 {
        byteCount / UInt64(leafBytes) + (byteCount % UInt64(leafBytes) == 0 ? 0 : 1)
    }

    /// The digest of an inner node.
    public static func join(_ left: SHA256Digest, _ right: SHA256Digest) -> SHA256Digest {
        SHA256Hasher.hash(left.bytes + right.bytes)
    }
}

extension TreeHash {
    /// Whether `first...last` (inclusive offsets) starts on a MiB and ends before one or with the archive. Required of
    /// retrieval ranges.
    public static func isMegabyteAligned(first: UInt64, last: UInt64, size: UInt64) -> Bool {
        guard first <= last, last < size else { return false }
        let leaf = UInt64(leafBytes)
        return first % leaf == 0 && ((last + 1) % leaf == 0 || last + 1 == size)
    }

    /// Whether the hash of `first...last` (inclusive offsets) is a node of the tree over `size` bytes: for some level i
    /// and j, first = j·2^i MiB and last + 1 = min((j + 1)·2^i MiB, size). Only then does a response carry a tree hash.
    public static func isTreeHashAligned(first: UInt64, last: UInt64, size: UInt64) -> Bool {
        guard isMegabyteAligned(first: first, last: last, size: size) else { return false }
        let start = first / UInt64(leafBytes)
        let count = leafCount(last + 1 - first)
        // The smallest level whose nodes hold that many leaves; a larger one could only add leaves past the range.
        var span: UInt64 = 1
        while span < count { span *= 2 }
        guard start % span == 0 else { return false }
        return span == count || last + 1 == size
    }

    /// The tree hash of a range of whole leaves, from the leaf digests of the archive.
    /// - Parameters:
    ///   - leaves: leaf digests of the whole archive (or of a stretch; the range then counts from its first leaf).
    ///   - range: indices into `leaves`.
    public static func rangeTreeHash(leaves: [SHA256Digest], range: Range<Int>) -> SHA256Digest {
        var hasher = TreeHasher()
        for index in range { hasher.append(leaf: leaves[index]) }
        return hasher.root
    }
}
