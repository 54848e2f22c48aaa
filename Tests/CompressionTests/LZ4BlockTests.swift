// SPDX-License-Identifier: Apache-2.0

import Compression
import Testing

/// A small generator, so that every run sees the same bytes.
private struct Noise {
    var state: UInt64
    mutating func next() -> UInt8 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in next() } }
}

private func compress(_ input: [UInt8], limit: Int) -> [UInt8]? {
    var output = [UInt8](repeating: 0, count: max(limit, 1))
    let count = output.withUnsafeMutableBytes { LZ4Block.compress(input.span.bytes, into: $0, limit: limit) }
    return count.map { Array(output.prefix($0)) }
}

private func decompress(_ input: [UInt8], exactly count: Int) throws -> [UInt8] {
    var output = [UInt8](repeating: 0xEE, count: count + 8)
    try output.withUnsafeMutableBytes { try LZ4Block.decompress(input.span.bytes, into: $0, exactly: count) }
    #expect(output.suffix(8).allSatisfy { $0 == 0xEE })
    return Array(output.prefix(count))
}

@Suite struct LZ4BlockTests {
    @Test(arguments: [1, 2, 13, 100, 4096, 65537, 1 << 20])
    func whatIsCompressedComesBack(_ count: Int) throws {
        var noise = Noise(state: UInt64(count))
        let mixed = (0..<count).map { $0 % 7 < 3 ? noise.next() : UInt8(truncatingIfNeeded: $0 / 7) }
        for input in [[UInt8](repeating: 0, count: count), noise.bytes(count), mixed] {
            let block = try #require(compress(input, limit: LZ4Block.maxCompressedBytes(count)))
            #expect(try decompress(block, exactly: count) == input)
        }
    }

    @Test func theLimitIsExact() throws {
        let input = [UInt8](repeating: 7, count: 10_000)
        let block = try #require(compress(input, limit: 10_000))
        #expect(compress(input, limit: block.count)?.count == block.count)
        #expect(compress(input, limit: block.count - 1) == nil)
    }

    @Test func incompressibleAndEmptyInputsAreNotCompressed() {
        var noise = Noise(state: 1)
        let input = noise.bytes(1 << 16)
        #expect(compress(input, limit: input.count - input.count / 16) == nil)
        #expect(compress([], limit: 100) == nil)
        #expect(compress([1, 2, 3], limit: 0) == nil)
    }

    @Test func aBlockOfAnotherLengthIsRefused() throws {
        let input = [UInt8](repeating: 7, count: 1000)
        let block = try #require(compress(input, limit: 1000))
        for count in [0, 1, 999, 1001, 5000] {
            #expect(throws: CompressionError.malformed(expectedBytes: count)) { try decompress(block, exactly: count) }
        }
        #expect(throws: CompressionError.unsupportedLength(0)) { try decompress([], exactly: 10) }
    }

    @Test func noBytesCrashTheDecoder() throws {
        let seed: UInt64 = 20_240_607
        var noise = Noise(state: seed)
        let block = try #require(compress([UInt8](repeating: 7, count: 300) + noise.bytes(50), limit: 400))
        for _ in 0..<2000 {
            var damaged = block
            damaged[Int(noise.next()) % damaged.count] = noise.next()
            _ = try? decompress(damaged, exactly: 350)
            _ = try? decompress(noise.bytes(Int(noise.next()) + 1), exactly: 350)
        }
        for length in 0..<block.count {
            #expect(throws: CompressionError.self, "seed \(seed)") {
                try decompress(Array(block.prefix(length)), exactly: 350)
            }
        }
    }
}
