// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Synchronization

/// The working memory of one `PartSealer` or `PartOpener` (a little over 1 MiB), allocated once so that a pool can hand
/// it from part to part. It may hold plaintext; it is wiped when it goes.
///
/// `@unchecked Sendable` because the buffer is touched only between `gate.enter()` and `gate.leave()`, and overlapping
/// use traps.
public final class PartScratch: @unchecked Sendable {
    /// One frame and the rest of the two chunks it may share with its neighbours.
    static let byteCount = PartFormat.frameBytes + 2 * Seal.chunkBytes

    let buffer: UnsafeMutableRawBufferPointer
    let gate = OwnershipGate()

    public init() { buffer = .allocate(byteCount: Self.byteCount, alignment: 64) }

    deinit {
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        buffer.deallocate()
    }
}

/// Traps when two threads use one object at once. It makes "one owner at a time" a checked law, which is what lets the
/// owner move between threads.
struct OwnershipGate: ~Copyable, Sendable {
    private let isTaken = Atomic<Bool>(false)

    func enter() {
        let wasTaken = isTaken.exchange(true, ordering: .acquiring)
        precondition(!wasTaken, "an object with one owner at a time was used by two")
    }

    func leave() { isTaken.store(false, ordering: .releasing) }
}
