// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// Joins leaf digests as they come, holding one digest per level: 4 GiB need 12, 40 TB need 26.
///
/// Invariant: `nodes` are the roots of perfect subtrees of strictly falling size, left to right, one for each 1 bit of
/// `leafCount`. Folding them from the right gives the root, because a digest without a right neighbour moves up.
public struct TreeHasher: Sendable {
    /// How many leaves were appended.
    public private(set) var leafCount: UInt64 = 0
    private var nodes: [SHA256Digest] = []

    /// Without leaves the root is the SHA-256 of nothing.
    public init() {}

    /// Appends the digest of the next leaf (or of the next of equally large parts).
    public mutating func append(leaf: SHA256Digest) {
        var node = leaf
        var count = leafCount
        while count & 1 == 1, let left = nodes.popLast() {
            node = TreeHash.join(left, node)
            count >>= 1
        }
        nodes.append(node)
        leafCount += 1
    }

    /// The root over the leaves so far; appending may go on.
    public var root: SHA256Digest {
        guard var node = nodes.last else { return SHA256Hasher.hash([UInt8]()) }
        for left in nodes.dropLast().reversed() { node = TreeHash.join(left, node) }
        return node
    }
}
