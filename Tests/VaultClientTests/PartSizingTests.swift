// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Testing
import TreeHash

@testable import VaultClient

@Suite struct PartSizingTests {
    private static let mebibyte: UInt64 = 1 << 20

    @Test func aChosenSizeIsThePreferredOneUntilThePartsWouldNotSuffice() throws {
        let limit = PartSizing.preferredBytes * PartSizing.mostParts
        #expect(try PartSizing.partBytes(forFile: 1, wanted: nil) == 16 << 20)
        #expect(try PartSizing.partBytes(forFile: limit, wanted: nil) == 16 << 20)
        #expect(try PartSizing.partBytes(forFile: limit + 1, wanted: nil) == 32 << 20)
        #expect(try PartSizing.partBytes(forFile: PartSizing.largestArchiveBytes, wanted: nil) == 4 << 30)
    }

    @Test func aWantedSizeIsTakenExactlyAsLongAsThePartsSuffice() throws {
        let limit = Self.mebibyte * 10_000
        #expect(try PartSizing.partBytes(forFile: limit, wanted: Self.mebibyte) == Self.mebibyte)
        let error = #expect(throws: ClientError.self) {
            try PartSizing.partBytes(forFile: limit + 1, wanted: Self.mebibyte)
        }
        #expect(error?.kind == .usage)
        #expect(error?.message.contains("10001 parts") == true)
        #expect(error?.remedy?.contains("2MiB") == true)
    }

    @Test(arguments: [0, 1, 1_048_575, 3 << 20, (4 << 30) + 1, 8 << 30] as [UInt64])
    func sizesThatAreNotAPowerOfTwoMebibytesAreRefused(wanted: UInt64) {
        #expect(throws: ClientError.self) { try PartSizing.partBytes(forFile: 100, wanted: wanted) }
    }

    @Test(arguments: [0, PartSizing.largestArchiveBytes + 1])
    func filesThatCannotBeAnArchiveAreExplained(bytes: UInt64) {
        let error = #expect(throws: ClientError.self) { try PartSizing.partBytes(forFile: bytes, wanted: nil) }
        #expect(error?.kind == .usage)
    }

    @Test func sizesAreReadAndWrittenInPowersOf1024() {
        #expect(["4194304", "4M", "4MB", "4MiB", "4mib", "4096k"].allSatisfy { ByteText.parse($0) == 4 << 20 })
        #expect(
            ["", "M", "-1", "1.5M", "1Q", "99999999999999999999", "999999999T"].allSatisfy { ByteText.parse($0) == nil }
        )
        #expect(ByteText.short(4 << 20) == "4MiB")
        #expect(ByteText.short(1536) == "1.5KiB")
        #expect(ByteText.short(0) == "0B")
    }
}

@Suite struct RangePlanTests {
    /// Sizes around every boundary, with every piece size that matters for them.
    private static let cases: [(UInt64, UInt64)] = {
        var cases: [(UInt64, UInt64)] = []
        for mebibytes in [1, 2, 4] as [UInt64] {
            let piece = mebibytes << 20
            let totals: [UInt64] = [
                1, piece - 1, piece, piece + 1, 2 * piece, 3 * piece - 1, 3 * piece, 7 * piece + 12_345,
            ]
            for total in totals { cases.append((total, piece)) }
        }
        return cases
    }()

    @Test(arguments: cases)
    func piecesTileTheWholeAndEachIsANodeOfTheTree(total: UInt64, piece: UInt64) {
        let plan = RangePlan(totalBytes: total, pieceBytes: piece)
        var position: UInt64 = 0
        for index in 0..<plan.count {
            let range = plan[index]
            #expect(range.lowerBound == position)
            #expect(TreeHash.isTreeHashAligned(first: range.lowerBound, last: range.upperBound - 1, size: total))
            position = range.upperBound
        }
        #expect(position == total)
    }

    @Test func theTreeHashIsThePiecesHashesCombined() {
        let bytes = [UInt8](unsafeUninitializedCapacity: (5 << 20) + 77) { buffer, count in
            count = buffer.count
            for index in 0..<count { buffer[index] = UInt8(truncatingIfNeeded: index &* 31) }
        }
        let plan = RangePlan(totalBytes: UInt64(bytes.count), pieceBytes: 2 << 20)
        let hashes = (0..<plan.count).map {
            TreeHash.hash(of: Array(bytes[Int(plan[$0].lowerBound)..<Int(plan[$0].upperBound)]))
        }
        #expect(TreeHash.combine(hashes) == TreeHash.hash(of: bytes))
    }

    @Test func aDownloadNeverHasMoreThanTenThousandRanges() {
        let plan = RangePlan.download(totalBytes: 40 << 40, wanted: 1 << 20)
        #expect(UInt64(plan.count) <= PartSizing.mostParts || plan.pieceBytes == PartSizing.largestBytes)
        #expect(RangePlan.download(totalBytes: 10_000 << 20, wanted: 1 << 20).pieceBytes == 1 << 20)
        #expect(RangePlan.download(totalBytes: 10_001 << 20, wanted: 1 << 20).pieceBytes == 2 << 20)
    }

    @Test func onlyPartsWithTheExactRangeCountAsPresent() throws {
        let plan = RangePlan(totalBytes: (3 << 20) + 5, pieceBytes: 1 << 20)
        let hash = SHA256Hasher.hash([1])
        let whole = PartDescription(range: 0..<1 << 20, treeHash: hash)
        let short = PartDescription(range: 1 << 20..<(1 << 20) + 9, treeHash: hash)
        let tail = PartDescription(range: 3 << 20..<(3 << 20) + 5, treeHash: hash)
        #expect(try plan.matching([whole, short, tail]) == [0: hash, 3: hash])
    }

    @Test(arguments: [4 << 20..<5 << 20, 1..<1 << 20] as [Range<UInt64>])
    func partsThatTheFileDoesNotHaveRefuseTheUpload(range: Range<UInt64>) {
        let plan = RangePlan(totalBytes: 4 << 20, pieceBytes: 1 << 20)
        #expect(throws: ClientError.self) {
            try plan.matching([PartDescription(range: range, treeHash: SHA256Hasher.hash([1]))])
        }
    }

    @Test func retrievalRangesAreCheckedBeforeAJobIsBegun() throws {
        #expect(try RetrievalRange.parse("1048576-2097151") == 1 << 20..<2 << 20)
        for text in ["", "-", "5-10", "2-1", "0", "0-", "0-1-2", "+0-1", "1048576-18446744073709551615"] {
            #expect(throws: ClientError.self) { try RetrievalRange.parse(text) }
        }
        #expect(RetrievalRange.isSurelyVerifiable(2 << 20..<4 << 20))
        #expect(!RetrievalRange.isSurelyVerifiable(1 << 20..<3 << 20))
        #expect(!RetrievalRange.isSurelyVerifiable(0..<3 << 20))
        #expect(!RetrievalRange.isSurelyVerifiable(0..<5))
    }
}
