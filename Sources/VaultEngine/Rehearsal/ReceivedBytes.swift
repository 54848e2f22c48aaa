// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import Synchronization
import TreeHash
import VaultModel

/// Counts and hashes an output as it is handed out; keeps one leaf and no more.
final class ReceivedBytes: Sendable {
    private struct State {
        var tree = TreeHasher()
        var leaf: [UInt8] = []
        var count: UInt64 = 0
    }

    private let state = Mutex(State())

    func add(_ bytes: ByteBuffer) {
        state.withLock { state in
            state.count += UInt64(bytes.readableBytes)
            var rest = bytes.readableBytesView[...]
            while !rest.isEmpty {
                let taken = min(Limits.leafBytes - state.leaf.count, rest.count)
                state.leaf += rest.prefix(taken)
                rest = rest.dropFirst(taken)
                guard state.leaf.count == Limits.leafBytes else { continue }
                state.tree.append(leaf: SHA256Hasher.hash(state.leaf))
                state.leaf.removeAll(keepingCapacity: true)
            }
        }
    }

    var count: UInt64 { state.withLock { $0.count } }

    /// Of everything so far.
    var treeHash: SHA256Digest {
        state.withLock { state in
            var tree = state.tree
            if !state.leaf.isEmpty { tree.append(leaf: SHA256Hasher.hash(state.leaf)) }
            return tree.root
        }
    }
}
