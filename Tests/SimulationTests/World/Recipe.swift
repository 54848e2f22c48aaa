// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import StorageLaws
import TreeHash
import VaultModel

/// A content that need not be kept: the same numbers make the same bytes again. Cheap to make, different from every other.
struct Recipe: Hashable, Sendable {
    /// One for each stretch of 1 MiB; the last goes for all that follow.
    let numbers: [UInt64]
    let count: Int

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let number = numbers[min(bytes.count >> 20, numbers.count - 1)]
            bytes += Self.stretch(number &+ UInt64(bytes.count), min(1 << 20, count - bytes.count))
        }
        return bytes
    }

    private static func stretch(_ number: UInt64, _ count: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: number &* 0x9E37_79B9_7F4A_7C15)
        var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: generator.next()), count: count)
        // A little noise everywhere, so that no two frames and no two chunks are equal.
        for start in stride(from: 0, to: count, by: 16_000) {
            for offset in start..<min(start + 8, count) { bytes[offset] = UInt8(truncatingIfNeeded: generator.next()) }
        }
        return bytes
    }
}

extension [UInt8] {
    var treeHash: SHA256Digest { TreeHash.hash(of: self) }

    func slice(_ range: ByteRange) -> [UInt8] { Array(self[Int(range.first)...Int(range.last)]) }
}

/// A body that arrives in pieces.
struct Pieces: AsyncSequence, Sendable {
    let bytes: [UInt8]
    let pieceBytes: Int

    struct AsyncIterator: AsyncIteratorProtocol {
        var rest: ArraySlice<UInt8>
        let pieceBytes: Int

        mutating func next() async throws -> ByteBuffer? {
            guard !rest.isEmpty else { return nil }
            await Task.yield()
            defer { rest = rest.dropFirst(pieceBytes) }
            return ByteBuffer(bytes: rest.prefix(pieceBytes))
        }
    }
    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(rest: bytes[...], pieceBytes: pieceBytes) }
}

extension [UInt8] {
    var linearHash: SHA256Digest { SHA256Hasher.hash(self) }
}
