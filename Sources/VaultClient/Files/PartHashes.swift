// SPDX-License-Identifier: Apache-2.0

public import Cryptography
public import Execution
import NIOCore
import Synchronization
import TreeHash

/// The two hashes that travel in front of a part.
public struct PartHashes: Sendable, Hashable {
    /// SHA-256 of all bytes.
    public let linear: SHA256Digest
    /// The tree hash of all bytes.
    public let tree: SHA256Digest

    /// Hashes computed elsewhere.
    public init(linear: SHA256Digest, tree: SHA256Digest) {
        self.linear = linear
        self.tree = tree
    }

    var headers: [(name: String, value: String)] {
        [(name: "x-amz-content-sha256", value: linear.hex), (name: "x-amz-sha256-tree-hash", value: tree.hex)]
    }

    /// Hashes a stretch of a file in one piece of work of `pool`, holding 1 MiB; cancelling stops it within a MiB.
    ///
    /// `range` must begin at a leaf of the tree, which every part and every aligned range does.
    public static func computed(
        of file: LocalFile, range: Range<UInt64>, on pool: BlockingPool
    ) async throws -> PartHashes {
        let stop = StopFlag()
        let hashes = try await withTaskCancellationHandler {
            try await pool.run { () throws(ClientError) -> PartHashes? in
                var hasher = LinearAndTreeHasher(expectedBytes: range.upperBound - range.lowerBound)
                var position = range.lowerBound
                while position < range.upperBound {
                    if stop.isSet { return nil }
                    let count = Int(min(UInt64(TreeHash.leafBytes), range.upperBound - position))
                    let leaf = try file.read(at: position, upTo: count)
                    guard leaf.readableBytes == count else { throw ClientError.shrunk(file.path) }
                    hasher.updateLeaf(leaf.readableBytesSpan)
                    position += UInt64(count)
                }
                let (linear, tree) = hasher.finish()
                // A hasher that knows the length always has both.
                return PartHashes(linear: linear ?? tree, tree: tree)
            }
        } onCancel: {
            stop.set()
        }
        guard let hashes else { throw CancellationError() }
        return hashes
    }
}

/// Tells work on another thread that nobody waits for it any more.
private final class StopFlag: Sendable {
    private let flag = Atomic(false)
    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
}
