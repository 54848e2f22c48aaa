// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// The linear SHA-256 and the tree hash of one part in one pass. A part of at most one leaf needs only one hash,
/// because its tree hash is its linear hash; that is why the length is declared first. The hashes advance together, and
/// another stream that the caller has at hand can join them: three cost little more than one (`SHA256Lanes`). Owned by
/// one task at a time.
public struct LinearAndTreeHasher: ~Copyable {
    private let expectedBytes: UInt64
    private let isExact: Bool
    private let needsLinear: Bool
    private var leafLane = SHA256Lane()
    private var linearLane = SHA256Lane()
    private var tree = TreeHasher()
    private var lastLeaf: SHA256Digest?
    /// Bytes hashed so far.
    public private(set) var byteCount: UInt64 = 0

    /// - Parameter expectedBytes: the part's length. Feeding more is a programmer's error and traps.
    public init(expectedBytes: UInt64) {
        self.expectedBytes = expectedBytes
        isExact = true
        needsLinear = expectedBytes > UInt64(TreeHash.leafBytes)
    }

    /// The tree hash alone, of a content whose length is known only at its end.
    /// - Parameter maxBytes: feeding more is a programmer's error and traps.
    public init(treeOnlyUpTo maxBytes: UInt64) {
        expectedBytes = maxBytes
        isExact = false
        needsLinear = false
    }

    /// Takes exactly one leaf: 1 MiB, or fewer bytes (at least one) if it is the part's last.
    /// - Returns: the leaf's digest.
    @discardableResult
    public mutating func updateLeaf(_ leaf: RawSpan) -> SHA256Digest {
        count(leaf.byteCount)
        if needsLinear {
            SHA256Lanes.update(&leafLane, leaf, &linearLane, leaf)
        } else {
            leafLane.update(leaf)
        }
        return endLeaf()
    }

    /// Takes one leaf, as the verb above, and in the same pass adds other bytes to another stream.
    /// - Parameters:
    ///   - lane: any stream, with its own past and future; the part's hashes do not depend on it.
    ///   - bytes: what the stream gets; of any length.
    /// - Returns: the leaf's digest.
    @discardableResult
    public mutating func updateLeaf(
        _ leaf: RawSpan, beside lane: inout SHA256Lane, _ bytes: RawSpan
    ) -> SHA256Digest {
        count(leaf.byteCount)
        if needsLinear {
            SHA256Lanes.update(&leafLane, leaf, &linearLane, leaf, &lane, bytes)
        } else {
            SHA256Lanes.update(&leafLane, leaf, &lane, bytes)
        }
        return endLeaf()
    }

    /// Takes the digest of a leaf that was hashed and compared elsewhere, where only the tree hash is asked for.
    /// - Parameter byteCount: the leaf's length.
    public mutating func append(leaf digest: SHA256Digest, byteCount size: Int) {
        precondition(!needsLinear && !isExact, "a linear hash needs the bytes")
        count(size)
        tree.append(leaf: digest)
        lastLeaf = digest
    }

    /// Ends the part. All declared bytes must have been fed.
    /// - Returns: the SHA-256 of all bytes (nil if only the tree hash was asked for), and the tree hash.
    public mutating func finish() -> (linear: SHA256Digest?, tree: SHA256Digest) {
        let root = tree.root
        guard isExact else { return (nil, root) }
        precondition(byteCount == expectedBytes, "fewer bytes than the declared length")
        let linear = needsLinear ? linearLane.finalizeAndReset() : lastLeaf ?? root
        return (linear, root)
    }

    private mutating func count(_ size: Int) {
        precondition(byteCount % UInt64(TreeHash.leafBytes) == 0, "no leaf follows a short one")
        byteCount += UInt64(size)
        precondition(byteCount <= expectedBytes, "more bytes than the declared length")
        precondition(
            size == TreeHash.leafBytes
                || (size > 0 && size < TreeHash.leafBytes && (byteCount == expectedBytes || !isExact)),
            "only the last leaf may be short")
    }

    private mutating func endLeaf() -> SHA256Digest {
        let digest = leafLane.finalizeAndReset()
        tree.append(leaf: digest)
        lastLeaf = digest
        return digest
    }
}
