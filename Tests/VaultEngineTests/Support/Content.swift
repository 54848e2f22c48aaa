// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import StorageLaws
import Synchronization
import TreeHash

/// Repeatable random bytes. For tests only, never in production.
final class SeededRandom: RandomByteSource {
    private let generator: Mutex<SeededGenerator>

    init(seed: UInt64) { generator = Mutex(SeededGenerator(seed: seed)) }

    func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        generator.withLock { generator in
            var offset = 0
            while offset < buffer.count {
                withUnsafeBytes(of: generator.next()) { word in
                    for byte in word.prefix(buffer.count - offset) {
                        buffer[offset] = byte
                        offset += 1
                    }
                }
            }
        }
    }
}

/// What tests store: every 64 KiB stretch is either noise or one repeated byte, so both codecs are used.
func content(_ count: Int, seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(seed: seed &* 0x9E37_79B9 &+ UInt64(count))
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        var offset = 0
        while offset < count {
            let end = min(count, offset + 65_536)
            if generator.next() & 1 == 0 {
                let byte = UInt8(truncatingIfNeeded: generator.next())
                buffer[offset..<end].update(repeating: byte)
                offset = end
            }
            while offset < end {
                var word = generator.next()
                for index in offset..<min(end, offset + 8) {
                    buffer[index] = UInt8(truncatingIfNeeded: word)
                    word >>= 8
                }
                offset = min(end, offset + 8)
            }
        }
        initialized = count
    }
}

/// A request body in pieces of any size, that may break off with an error.
struct Body: AsyncSequence, Sendable {
    struct Broken: Error {}

    private let pieces: [ByteBuffer]
    private let breaks: Bool

    init(_ bytes: [UInt8], pieceBytes: Int = 60_000, breaks: Bool = false) {
        pieces = stride(from: 0, to: bytes.count, by: pieceBytes).map {
            ByteBuffer(bytes: bytes[$0..<Swift.min($0 + pieceBytes, bytes.count)])
        }
        self.breaks = breaks
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var rest: ArraySlice<ByteBuffer>
        fileprivate let breaks: Bool

        mutating func next() async throws -> ByteBuffer? {
            guard let piece = rest.popFirst() else {
                if breaks { throw Broken() }
                return nil
            }
            return piece
        }
    }
    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(rest: pieces[...], breaks: breaks) }
}

/// The tree hash as the specification draws it, sharing no code with the product's.
func naiveTreeHash(_ bytes: some Collection<UInt8>) -> SHA256Digest {
    let all = Array(bytes)
    var level = stride(from: 0, to: max(1, all.count), by: 1 << 20).map {
        SHA256Hasher.hash(Array(all[$0..<min($0 + 1 << 20, all.count)]))
    }
    while level.count > 1 {
        level = stride(from: 0, to: level.count, by: 2).map {
            $0 + 1 < level.count ? SHA256Hasher.hash(level[$0].bytes + level[$0 + 1].bytes) : level[$0]
        }
    }
    return level[0]
}
