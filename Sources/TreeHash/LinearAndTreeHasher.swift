// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// The linear SHA-256 and the tree hash of one part in one pass. A part of at most one leaf needs only one hash,
/// because its tree hash is its linear hash; that is why the length is declared first. Owned by one task at a time.
public struct LinearAndTreeHasher: ~Copyable {
    /// Bytes that fit the first-level cache, so that the second hash reads what the first has just fetched.
    private static let sliceBytes = 16 << 10

    private let expectedBytes: UInt64
    private let isExact: Bool
    private var leafHasher = SHA256Hasher()
    private var linearHasher: SHA256Hasher?
    private var tree = TreeHasher()
    private var lastLeaf: SHA256Digest?
    /// Bytes hashed so far.
    public private(set) var byteCount: UInt64 = 0

    /// - Parameter expectedBytes: the part's length. Feeding more is a programmer's error and traps.
    public init(expectedBytes: UInt64) {
        self.expectedBytes = expectedBytes
        isExact = true
        linearHasher = expectedBytes > UInt64(TreeHash.leafBytes) ? SHA256Hasher() : nil
    }

    /// The tree hash alone, of a content whose length is known only at its end.
    /// - Parameter maxBytes: feeding more is a programmer's error and traps.
    public init(treeOnlyUpTo maxBytes: UInt64) {
        expectedBytes = maxBytes
        isExact = false
        linearHasher = nil
    }

    /// Takes exactly one leaf: 1 MiB, or fewer bytes (at least one) if it is the part's last.
    /// - Returns: the leaf's digest.
    @discardableResult
    public mutating func updateLeaf(_ leaf: RawSpan) -> SHA256Digest {
        let size = leaf.byteCount
        precondition(byteCount % UInt64(TreeHash.leafBytes) == 0, "no leaf follows a short one")
        byteCount += UInt64(size)
        precondition(byteCount <= expectedBytes, "more bytes than the declared length")
        precondition(
            size == TreeHash.leafBytes
                || (size > 0 && size < TreeHash.leafBytes && (byteCount == expectedBytes || !isExact)),
            "only the last leaf may be short")
        var start = 0
        while start < size {
            let end = min(start + Self.sliceBytes, size)
            let slice = leaf.extracting(start..<end)
            leafHasher.update(slice)
            linearHasher?.update(slice)
            start = end
        }
        let digest = leafHasher.finalizeAndReset()
        tree.append(leaf: digest)
        lastLeaf = digest
        return digest
    }

    /// Ends the part. All declared bytes must have been fed.
    /// - Returns: the SHA-256 of all bytes (nil if only the tree hash was asked for), and the tree hash.
    public mutating func finish() -> (linear: SHA256Digest?, tree: SHA256Digest) {
        let root = tree.root
        guard isExact else { return (nil, root) }
        precondition(byteCount == expectedBytes, "fewer bytes than the declared length")
        let linear = linearHasher?.finalizeAndReset() ?? lastLeaf ?? root
        return (linear, root)
    }
}
