// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Cryptography

/// Both ways of computing, where the processor has both.
private let ways: [Bool] = SHA256Lanes.isAvailable ? [true, false] : [false]

/// The definition: one libcrypto hasher over the whole message.
private func reference(_ message: [UInt8]) -> SHA256Digest { SHA256Hasher.hash(message) }

@Suite struct SHA256LaneTests {
    @Test(arguments: ways)
    func aLaneGivesTheStandardsExamples(interleaved: Bool) {
        var lane = SHA256Lane(interleaved: interleaved)
        let examples = [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrs"
                    + "mnopqrstnopqrstu",
                "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
            ),
            (
                String(repeating: "a", count: 1_000_000),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
            ),
        ]
        for (message, digest) in examples {
            lane.update(Array(message.utf8))
            #expect(lane.finalizeAndReset().hex == digest)
        }
    }

    @Test(arguments: ways)
    func everyLengthAroundThreeBlocksIsPaddedRight(interleaved: Bool) {
        var lane = SHA256Lane(interleaved: interleaved)
        for count in 0...200 {
            let message = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ count) }
            lane.update(message)
            #expect(lane.finalizeAndReset() == reference(message), "\(count) bytes")
        }
    }

    @Test(arguments: ways)
    func everySplitOfThreeBlocksIsTheSameMessage(interleaved: Bool) {
        let message = (0..<192).map { UInt8($0) }
        let expected = reference(message)
        var lane = SHA256Lane(interleaved: interleaved)
        for split in 0...message.count {
            lane.update(message.span.bytes.extracting(0..<split))
            lane.update(message.span.bytes.extracting(split..<message.count))
            #expect(lane.finalizeAndReset() == expected, "split at \(split)")
        }
    }
}

@Suite struct SHA256LanesTests {
    /// Lanes with their own pasts, lengths and addresses, in rounds; a third of the trials mixes the ways of computing.
    @Test func lanesTogetherAreLanesAlone() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix(state: seed)
        let pool = (0..<(96 << 10)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        for trial in 0..<150 {
            let chosen = (0..<3).map { _ in
                trial % 3 == 2 ? ways.randomElement(using: &random) ?? false : ways[trial % 3 % ways.count]
            }
            let right = lanesAgree(ways: chosen, pool: pool, random: &random)
            #expect(right, "seed \(seed), trial \(trial), ways \(chosen)")
        }
    }

    private func lanesAgree(ways: [Bool], pool: [UInt8], random: inout SplitMix) -> Bool {
        var a = SHA256Lane(interleaved: ways[0])
        var b = SHA256Lane(interleaved: ways[1])
        var c = SHA256Lane(interleaved: ways[2])
        var messages: [[UInt8]] = [[], [], []]
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            // Lengths from nothing over parts of a block to more than a slice; any address.
            let ranges = (0..<3).map { _ in
                let limit = [0, 65, 200, 1_000, 5_000, 20_000].randomElement(using: &random) ?? 0
                let count = Int.random(in: 0...limit, using: &random)
                let start = Int.random(in: 0...(pool.count - count), using: &random)
                return start..<(start + count)
            }
            let bytes = pool.span.bytes
            let parts = (bytes.extracting(ranges[0]), bytes.extracting(ranges[1]), bytes.extracting(ranges[2]))
            let together = Int.random(in: 1...3, using: &random)
            if together == 3 {
                SHA256Lanes.update(&a, parts.0, &b, parts.1, &c, parts.2)
            } else if together == 2 {
                SHA256Lanes.update(&a, parts.0, &c, parts.2)
            } else {
                b.update(parts.1)
            }
            for index in [[1], [0, 2], [0, 1, 2]][together - 1] { messages[index] += pool[ranges[index]] }
        }
        return a.finalizeAndReset() == reference(messages[0]) && b.finalizeAndReset() == reference(messages[1])
            && c.finalizeAndReset() == reference(messages[2])
    }

    /// What a part does: a hash of each leaf, one of all leaves, one of a somewhat longer and unaligned output.
    @Test(arguments: ways)
    func lanesOverTheSameBytesDoNotDisturbEachOther(interleaved: Bool) {
        let leafBytes = 40_000
        let content = (0..<(3 * leafBytes)).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 7) }
        let output = content.map { ~$0 } + [1, 2, 3]
        var leaf = SHA256Lane(interleaved: interleaved)
        var linear = SHA256Lane(interleaved: interleaved)
        var blob = SHA256Lane(interleaved: interleaved)
        blob.update([9, 9, 9])
        for index in 0..<3 {
            let range = (index * leafBytes)..<((index + 1) * leafBytes)
            let written = index < 2 ? range : range.lowerBound..<output.count
            let bytes = content.span.bytes.extracting(range)
            SHA256Lanes.update(&leaf, bytes, &linear, bytes, &blob, output.span.bytes.extracting(written))
            #expect(leaf.finalizeAndReset() == reference(Array(content[range])))
        }
        #expect(linear.finalizeAndReset() == reference(content))
        #expect(blob.finalizeAndReset() == reference([9, 9, 9] + output))
    }
}

/// Reproducible choices (SplitMix64).
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
