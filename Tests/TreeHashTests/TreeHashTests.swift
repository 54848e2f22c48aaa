// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Testing
import TreeHash

private let mib = 1 << 20

/// The algorithm as the documentation words it, level by level; slow and obvious.
private func naive(_ digests: [SHA256Digest]) -> SHA256Digest {
    var level = digests.isEmpty ? [SHA256Hasher.hash([UInt8]())] : digests
    while level.count > 1 {
        var next: [SHA256Digest] = []
        for index in stride(from: 0, to: level.count, by: 2) {
            next.append(
                index + 1 < level.count ? SHA256Hasher.hash(level[index].bytes + level[index + 1].bytes) : level[index])
        }
        level = next
    }
    return level[0]
}

private func leaves(_ count: Int) -> [SHA256Digest] { (0..<count).map { SHA256Hasher.hash(Array("leaf \($0)".utf8)) } }

@Suite struct TreeHashTests {
    /// Computed with botocore's calculate_tree_hash.
    @Test(arguments: [
        (0, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (0x61, 1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        (0, mib, "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58"),
        (0, mib + 1, "28638dab8d5e1754a4ecb38b0ebe6df66c844f94aed142d4d0283d208bb786cd"),
        (0, 2 * mib, "861890b487038d840e9d71d43bbc0fd4571453fb9d9b1f370caa3582a29b0ec7"),
        (0, 3 * mib, "ca6cc129a4514ec765de86a4e7a49adf44842c9cac213c383ebe4071271bdf21"),
        (0, 5 * mib, "3de9bfb690ff216d907474b4aa56a6f77a8c846a08b26885d4ab2282092a757e"),
        (0x61, 7 * mib / 2, "daede4eb580f914dacd5e0bdf7015c937fd615c1e6c6552d25cb04a8b7219828"),
    ])
    func knownHashes(_ byte: UInt8, _ count: Int, _ expected: String) {
        #expect(TreeHash.hash(of: [UInt8](repeating: byte, count: count)).hex == expected)
    }

    /// 6.5 MiB: MiB i filled with byte i.
    private var sample: [SHA256Digest] {
        (0..<7).map { index in
            SHA256Hasher.hash([UInt8](repeating: UInt8(index), count: index == 6 ? mib / 2 : mib))
        }
    }

    @Test(arguments: [
        (0..<7, "1bec740b9e7b5da352a727ef3b50e9b24717450758ec506d3a8d45b59ca4f759"),
        (0..<2, "56000aae067539dced6beb96e22a17d7a596e8824a93fc35dd06c13fba9e9a1b"),
        (2..<4, "d1d5b496d3337e6a861029592334a156fb35d4236b34377b7fa0d504c9f775b3"),
        (4..<6, "d640872142ee0da7d1e4d1313d6ebb8087d5a2b1ff89dd954434ffde001fa769"),
        (6..<7, "1fc15a7fa5716499f176527299306aedc7f7ee9c523932efb6da89e71886726d"),
        (4..<7, "ab6d8ef5453c3b378223882314a706ceef45392913a31a8ee404894e8df97d91"),
        (0..<4, "67b4bca77c9935ead8b071feb32ccccc142dfb5a2674650a1320f6fbcef943c6"),
        (1..<3, "abf617562a5d2759b25ef843678fcdbf50be51b4144cc5b1fda658130e13b292"),
        (0..<3, "ab17570ee8be686a3dab82afd38d793cbc47f401fc72289ab00ff6a608707378"),
    ])
    func knownRanges(_ range: Range<Int>, _ expected: String) {
        #expect(TreeHash.rangeTreeHash(leaves: sample, range: range).hex == expected)
    }

    @Test func streamingEqualsTheNaiveAlgorithmForEveryCount() {
        for count in 0...300 { #expect(TreeHash.combine(leaves(count)) == naive(leaves(count)), "\(count) leaves") }
    }

    @Test func partsOfAPowerOfTwoCombineToTheWhole() {
        for power in [1, 2, 4, 8, 16] {
            for count in [1, 2, 3, 7, 16, 31, 33, 100] {
                let all = leaves(count)
                let parts = stride(from: 0, to: count, by: power).map {
                    TreeHash.combine(Array(all[$0..<min($0 + power, count)]))
                }
                #expect(TreeHash.combine(parts) == TreeHash.combine(all), "\(count) leaves in parts of \(power)")
            }
        }
    }

    @Test func alignmentIsBeingANodeOfTheTree() {
        // Every node of the tree over n leaves, found by walking it; leaves are one MiB, the last 5 bytes.
        for count in 1...17 {
            var nodes: Set<Range<Int>> = []
            var level = (0..<count).map { $0..<$0 + 1 }
            nodes.formUnion(level)
            while level.count > 1 {
                level = stride(from: 0, to: level.count, by: 2).map {
                    $0 + 1 < level.count ? level[$0].lowerBound..<level[$0 + 1].upperBound : level[$0]
                }
                nodes.formUnion(level)
            }
            let size = UInt64((count - 1) * mib + 5)
            for first in 0..<count {
                for end in first + 1...count {
                    let last = min(UInt64(end * mib), size) - 1
                    let start = UInt64(first * mib)
                    #expect(
                        TreeHash.isTreeHashAligned(first: start, last: last, size: size) == nodes.contains(first..<end),
                        "\(first)..<\(end) of \(count)")
                    #expect(TreeHash.isMegabyteAligned(first: start, last: last, size: size))
                }
            }
        }
    }

    @Test func unalignedRangesAreNotAligned() {
        let size = UInt64(3 * mib)
        for (first, last) in [(1, 2 * mib - 1), (0, mib), (0, 3 * mib), (mib, 0), (0, 5)] {
            #expect(!TreeHash.isMegabyteAligned(first: UInt64(first), last: UInt64(last), size: size))
            #expect(!TreeHash.isTreeHashAligned(first: UInt64(first), last: UInt64(last), size: size))
        }
        #expect(!TreeHash.isTreeHashAligned(first: 0, last: .max, size: .max))
        #expect(TreeHash.isTreeHashAligned(first: 0, last: .max - 1, size: .max))
    }
}

@Suite struct LinearAndTreeHasherTests {
    @Test(arguments: [0, 1, 5, mib - 1, mib, mib + 1, 2 * mib, 5 * mib / 2])
    func bothHashesAreRight(_ count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        var hasher = LinearAndTreeHasher(expectedBytes: UInt64(count))
        for start in stride(from: 0, to: count, by: mib) {
            let end = min(start + mib, count)
            let digest = hasher.updateLeaf(bytes.span.bytes.extracting(start..<end))
            #expect(digest == SHA256Hasher.hash(Array(bytes[start..<end])))
        }
        let (linear, tree) = hasher.finish()
        #expect(linear == SHA256Hasher.hash(bytes))
        #expect(tree == TreeHash.hash(of: bytes))
        #expect((linear == tree) == (count <= mib))
    }

    @Test(arguments: [0, 5, mib, 5 * mib / 2])
    func theTreeAloneNeedsNoLengthAhead(_ count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        var hasher = LinearAndTreeHasher(treeOnlyUpTo: UInt64(10 * mib))
        for start in stride(from: 0, to: count, by: mib) {
            hasher.updateLeaf(bytes.span.bytes.extracting(start..<min(start + mib, count)))
        }
        let (linear, tree) = hasher.finish()
        #expect(linear == nil)
        #expect(tree == TreeHash.hash(of: bytes))
    }

    @Test func aLeafAfterAShortOneTraps() async {
        await #expect(processExitsWith: .failure) {
            var hasher = LinearAndTreeHasher(treeOnlyUpTo: 100)
            hasher.updateLeaf([1, 2, 3].span.bytes)
            hasher.updateLeaf([1].span.bytes)
        }
    }

    @Test func aWrongLengthTraps() async {
        await #expect(processExitsWith: .failure) {
            var hasher = LinearAndTreeHasher(expectedBytes: 2)
            hasher.updateLeaf([1, 2, 3].span.bytes)
        }
        await #expect(processExitsWith: .failure) {
            var hasher = LinearAndTreeHasher(expectedBytes: 2)
            hasher.updateLeaf([UInt8](repeating: 1, count: 1).span.bytes)
        }
    }
}
