// SPDX-License-Identifier: Apache-2.0

import Testing
import VaultModel

@Suite struct ByteRangeTests {
    static let mebi: UInt64 = 1 << 20

    @Test(arguments: [
        ("0-0", 0, 0), ("0-1048575", 0, 1_048_575), ("007-9", 7, 9),
        ("5-9223372036854775806", 5, 9_223_372_036_854_775_806),
    ])
    func rangesAreRead(text: String, first: UInt64, last: UInt64) {
        #expect(ByteRange(text) == ByteRange(first: first, last: last))
        #expect(ByteRange(text)?.count == last - first + 1)
    }

    @Test(arguments: [
        "", "-", "1-", "-1", "2-1", "1-2-3", "+1-2", "1 -2", "bytes=1-2", "0x1-2", "１-2", "1-9223372036854775807",
        "1-18446744073709551616", "1-99999999999999999999",
    ])
    func whatIsNoRangeIsRefused(text: String) {
        #expect(ByteRange(text) == nil)
    }

    @Test func nothingHasNoWhole() {
        #expect(ByteRange.whole(size: 0) == nil)
        #expect(ByteRange.whole(size: 1)?.description == "0-0")
    }

    /// The definition, written as naively as it can be: all nodes of the tree, level by level.
    private func nodes(of size: UInt64) -> Set<ByteRange> {
        var nodes: Set<ByteRange> = []
        var span = Self.mebi
        while true {
            for start in stride(from: 0, to: size, by: Int(span)) {
                if let node = ByteRange(first: start, last: min(start + span, size) - 1) { nodes.insert(node) }
            }
            if span >= size { return nodes }
            span *= 2
        }
    }

    @Test func exactlyTheNodesOfTheTreeAreTreeHashAligned() throws {
        var sizes: [UInt64] = [1, 1023, Self.mebi - 1, Self.mebi, Self.mebi + 1]
        sizes += (2...70).flatMap { [$0 * Self.mebi, $0 * Self.mebi - 7] }
        for size in sizes {
            let nodes = nodes(of: size)
            let leaves = (size + Self.mebi - 1) / Self.mebi
            for first in 0..<leaves {
                for end in (first + 1)...leaves {
                    let range = try #require(ByteRange(first: first * Self.mebi, last: min(end * Self.mebi, size) - 1))
                    #expect(range.isMegabyteAligned(size: size))
                    #expect(range.isTreeHashAligned(size: size) == nodes.contains(range), "\(range) of \(size)")
                }
            }
        }
    }

    @Test func offByOneIsNotAligned() throws {
        let size = 5 * Self.mebi + 100
        for (first, last) in [
            (1, Self.mebi - 1), (0, Self.mebi), (0, size), (0, size - 2), (Self.mebi - 1, size - 1), (0, Self.mebi - 2),
        ] {
            let range = try #require(ByteRange(first: first, last: last))
            #expect(!range.isMegabyteAligned(size: size), "\(range)")
            #expect(!range.isTreeHashAligned(size: size), "\(range)")
        }
        #expect(ByteRange(first: 0, last: 0)?.isMegabyteAligned(size: 0) == false)
    }
}
