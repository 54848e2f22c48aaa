// SPDX-License-Identifier: Apache-2.0

import Cryptography
import SealedArchive
import Testing
import TreeHash

private let mib = 1 << 20

@Suite struct PartPropertyTests {
    private let account = "123456789012"
    private let vault = [UInt8](repeating: 7, count: 16)
    private let key = SecretKey(random: SeededRandomBytes(seed: 1))
    private let scratch = PartScratch()

    private func preamble(index: UInt32 = 0, number: UInt64 = 1) -> BlobPreamble {
        BlobPreamble(kind: .part, uid: [UInt8](repeating: 9, count: 16), index: index, number: number)
    }

    private func seal(
        _ content: [UInt8], compress: Bool = true, index: UInt32 = 0, seed: UInt64 = 5
    ) throws(FormatError) -> (blob: [UInt8], summary: SealedPartSummary) {
        try PartBlob.seal(
            content, preamble: preamble(index: index), account: account, vaultUID: vault, key: key, compress: compress,
            random: SeededRandomBytes(seed: seed), scratch: scratch)
    }

    private func open(
        _ blob: [UInt8], range: Range<UInt64>? = nil, index: UInt32 = 0
    ) throws(FormatError) -> [UInt8] {
        try PartBlob.open(
            blob, range: range, expecting: BlobExpectation(preamble(index: index)), account: account, vaultUID: vault,
            key: key, scratch: scratch)
    }

    /// Stretches of noise and of repetition, so that frames of both codecs and any stored length occur.
    private func content(_ count: Int, seed: UInt64) -> [UInt8] {
        var state = seed
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        var bytes: [UInt8] = []
        while bytes.count < count {
            let stretch = Int(next() % 400_000) + 1
            if next() % 2 == 0 {
                bytes += SeededRandomBytes(seed: next()).bytes(min(stretch, 60_000))
            } else {
                bytes += repeatElement(UInt8(truncatingIfNeeded: next()), count: stretch)
            }
        }
        return Array(bytes.prefix(count))
    }

    @Test(arguments: [0, 1, 15, 16, 17, 16319, 16384, 100_000, mib - 1, mib, mib + 1, 2 * mib, 5 * mib / 2 + 77])
    func whatIsSealedComesBackWithItsHashes(_ count: Int) throws {
        for compress in [true, false] {
            let content = content(count, seed: UInt64(count) + 3)
            let (blob, summary) = try seal(content, compress: compress)
            #expect(try open(blob) == content)
            #expect(summary.length == UInt64(count))
            #expect(summary.sealedBytes == UInt64(blob.count))
            #expect(summary.treeHash == TreeHash.hash(of: content))
            #expect(summary.linearHash == SHA256Hasher.hash(content))
            #expect(summary.ciphertextSHA256 == SHA256Hasher.hash(blob))
            #expect(summary.sealHeader.bytes == Array(blob[40..<96]))
            #expect(UInt64(blob.count) <= PartSealer.maxBlobBytes(contentBytes: UInt64(count)))
        }
    }

    @Test func anyRangeIsThatPieceOfTheContent() throws {
        let content = content(4 * mib + 12_345, seed: 99)
        let (blob, _) = try seal(content)
        let size = UInt64(content.count)
        for range in [
            0..<1, 0..<size, size - 1..<size, UInt64(mib) - 1..<UInt64(mib) + 1, 5..<5,
            UInt64(2 * mib)..<UInt64(3 * mib),
            UInt64(3 * mib) + 7..<size, size..<size + 10,
        ] as [Range<UInt64>] {
            let wanted = range.clamped(to: 0..<size)
            #expect(try open(blob, range: range) == Array(content[Int(wanted.lowerBound)..<Int(wanted.upperBound)]))
        }
    }

    @Test func compressionSavesWhereItCan() throws {
        let zeros = [UInt8](repeating: 0, count: 3 * mib)
        #expect(try seal(zeros).blob.count < 20_000)
        let noise = SeededRandomBytes(seed: 2).bytes(100_000)
        #expect(try seal(noise).blob.count == seal(noise, compress: false).blob.count)
    }

    @Test func everyFlippedByteOfASmallBlobFails() throws {
        let (blob, _) = try seal(content(3000, seed: 4), compress: false)
        for index in blob.indices {
            var damaged = blob
            damaged[index] ^= 1 << UInt8(index % 8)
            #expect(throws: FormatError.self, "byte \(index)") { try open(damaged) }
        }
    }

    @Test func everyTruncationAndExtensionOfASmallBlobFails() throws {
        let (blob, _) = try seal(content(3000, seed: 4), compress: false)
        for length in 0..<blob.count {
            #expect(throws: FormatError.self, "length \(length)") { try open(Array(blob.prefix(length))) }
        }
        for extra in [1, 15, 16, 17, 41, 16384, 16400, 70_000] {
            #expect(throws: FormatError.self, "\(extra) more") { try open(blob + [UInt8](repeating: 0, count: extra)) }
        }
    }

    @Test func aBlobCutAtAnyChunkFails() throws {
        let (blob, _) = try seal(SeededRandomBytes(seed: 3).bytes(100_000), compress: false)
        for chunk in 0..<6 {
            #expect(throws: FormatError.seal(.truncated)) { try open(Array(blob.prefix(96 + chunk * 16400))) }
        }
    }

    @Test func twoPartsOfOneArchiveCannotChangePlaces() throws {
        let (first, _) = try seal([1, 2, 3], index: 0)
        let (second, _) = try seal([4, 5, 6], index: 1)
        #expect(throws: FormatError.wrongIdentity("index is 1, wanted 0")) { try open(second, index: 0) }
        // Nor with their clear preambles exchanged.
        let forged = Array(first.prefix(40)) + second.dropFirst(40)
        #expect(throws: FormatError.seal(.wrongKeyOrContext)) { try open(forged, index: 0) }
    }

    @Test func anOlderWriteOfThePartIsNotTheOneTheManifestPins() throws {
        let (old, _) = try seal([1], seed: 1)
        let (new, summary) = try seal([1], seed: 2)
        #expect(throws: FormatError.wrongSealHeader) {
            try PartBlob.open(
                old, expecting: BlobExpectation(preamble()), account: account, vaultUID: vault, key: key,
                expectedSealHeader: summary.sealHeader)
        }
        #expect(try open(new) == [1])
    }

    @Test func aShortReadIsAnErrorAndNeverData() throws {
        let (blob, _) = try seal(SeededRandomBytes(seed: 3).bytes(50_000), compress: false)
        for drop in 1...3 {
            #expect(throws: FormatError.self) {
                try PartBlob.open(
                    blobBytes: UInt64(blob.count), expecting: BlobExpectation(preamble()), account: account,
                    vaultUID: vault, key: key
                ) { range throws(FormatError) in
                    Array(blob[Int(range.lowerBound)..<Int(range.upperBound)].dropLast(range.count > 96 ? drop : 0))
                }
            }
        }
    }

    @Test func aFailedFrameLeavesNoPlaintext() throws {
        let (blob, _) = try seal([UInt8](repeating: 0x55, count: 30_000), compress: false)
        let opener = try PartOpener(
            prefix: blob, blobBytes: UInt64(blob.count), expecting: BlobExpectation(preamble()), account: account,
            vaultUID: vault, key: key)
        func read(_ range: Range<UInt64>) -> [UInt8] { Array(blob[Int(range.lowerBound)..<Int(range.upperBound)]) }
        let footer = try opener.readFooter(ciphertext: read(opener.footerReadRange).span.bytes)
        let index = try opener.parseIndex(
            footer, frames: 0..<1, ciphertext: read(opener.indexReadRange(footer, frames: 0..<1)).span.bytes)
        var stored = read(opener.frameReadRange(index[0]))
        stored[20_000] ^= 1
        var output = [UInt8](repeating: 0xEE, count: 30_000)
        #expect(throws: FormatError.seal(.tampered(chunk: 1))) {
            try output.withUnsafeMutableBytes {
                try opener.openFrame(index[0], ciphertext: stored.span.bytes, into: $0)
            }
        }
        #expect(output.allSatisfy { $0 == 0 })
    }

    @Test(arguments: [0, 1, mib, 2 * mib + 5])
    func stagedOutputOfUnknownLengthComesBack(_ count: Int) throws {
        let uid = [UInt8](repeating: 3, count: 16)
        let content = content(count, seed: 21)
        let sealer = try PartSealer(
            stagedUID: uid, account: account, vaultUID: vault, key: key, compress: true, maxBytes: UInt64(8 * mib),
            random: SeededRandomBytes(seed: 4), scratch: scratch)
        var blob = sealer.prefix
        var output = [UInt8](repeating: 0, count: PartSealer.maxOutputBytesPerFrame)
        for start in stride(from: 0, to: count, by: mib) {
            let end = min(start + mib, count)
            let written = try output.withUnsafeMutableBytes {
                try sealer.append(frame: content.span.bytes.extracting(start..<end), into: $0)
            }
            blob += output.prefix(written)
        }
        let (written, summary) = try output.withUnsafeMutableBytes { try sealer.finish(into: $0) }
        blob += output.prefix(written)
        #expect(summary.linearHash == nil && summary.treeHash == TreeHash.hash(of: content))
        #expect(summary.length == UInt64(count) && summary.sealedBytes == UInt64(blob.count))
        let opened = try PartBlob.open(
            blob, expecting: BlobExpectation(.staged, uid: uid, index: 0, number: 0), account: account, vaultUID: vault,
            key: key, scratch: scratch)
        #expect(opened == content)
    }

    @Test(arguments: [1, mib, mib + 1, 2 * mib, 5 * mib + 70_001], [true, false])
    func stagedFramesOfPartsComeBack(_ count: Int, compressible: Bool) throws {
        var content = content(count, seed: 31)
        // Frames of both codecs, in turn, so that stored frames do not end at chunks.
        if compressible {
            for start in stride(from: 0, to: count, by: 2 * mib) {
                for index in start..<min(start + mib, count) { content[index] = UInt8(index >> 9 & 0x7F) }
            }
        }
        let (blob, _) = try seal(content, compress: true)
        let opener = try PartOpener(
            prefix: blob, blobBytes: UInt64(blob.count), expecting: BlobExpectation(preamble()), account: account,
            vaultUID: vault, key: key)
        #expect(try Staging.content(of: opener, blob: blob) == content)
    }

    @Test func limitsAreRefusedBeforeAnythingIsDone() {
        #expect(throws: FormatError.limitExceeded("a part of 4294967297 bytes")) {
            try PartSealer(
                preamble: preamble(), account: account, vaultUID: vault, key: key, compress: true,
                expectedBytes: (4 << 30) + 1, random: SeededRandomBytes(seed: 1))
        }
    }
}
