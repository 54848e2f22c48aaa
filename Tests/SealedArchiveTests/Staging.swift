// SPDX-License-Identifier: Apache-2.0

import Cryptography
import SealedArchive
import TreeHash

/// Stages all frames of a part, as they are stored, and opens what was staged.
enum Staging {
    static let uid = [UInt8](repeating: 9, count: 16)

    /// - Parameter blob: the part's; reads beyond it are short, as a store's would fail.
    static func content(of opener: PartOpener, blob: [UInt8]) throws(FormatError) -> [UInt8] {
        func read(_ range: Range<UInt64>) -> [UInt8] {
            Array(blob[Int(min(range.lowerBound, UInt64(blob.count)))..<Int(min(range.upperBound, UInt64(blob.count)))])
        }
        let key = SecretKey(random: SeededRandomBytes(seed: 77))
        let vault = [UInt8](repeating: 8, count: 16)
        let footer = try opener.readFooter(ciphertext: read(opener.footerReadRange).span.bytes)
        let sealer = try PartSealer(
            stagedUID: uid, account: "111122223333", vaultUID: vault, key: key, compress: true, maxBytes: footer.partLength,
            random: SeededRandomBytes(seed: 78))
        var staged = sealer.prefix
        let rooms = (PartScratch(), PartScratch())
        let frames = 0..<footer.frameCount
        let entries = try opener.parseIndex(
            footer, frames: frames, ciphertext: read(opener.indexReadRange(footer, frames: frames)).span.bytes)
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * PartSealer.maxOutputBytesPerFrame, alignment: 16)
        defer { output.deallocate() }
        for first in stride(from: 0, to: entries.count, by: 2) {
            let pair = Array(entries[first..<min(first + 2, entries.count)])
            let range = pair.count == 2 ? opener.frameReadRange(pair[0], pair[1]) : opener.frameReadRange(pair[0])
            let sealed = read(range)
            guard UInt64(sealed.count) == range.upperBound - range.lowerBound else { throw .seal(.truncated) }
            let written = try opener.transfer(pair, ciphertext: sealed.span.bytes, to: sealer, rooms: rooms, into: output)
            staged += output[..<written]
        }
        let (written, summary) = try sealer.finish(into: output)
        staged += output[..<written]
        precondition(summary.sealedBytes == UInt64(staged.count) && summary.length == footer.partLength)
        precondition(summary.treeHash == TreeHash.combine(entries.map(\.digest)))
        return try PartBlob.open(
            staged, expecting: BlobExpectation(.staged, uid: uid, index: 0, number: 0), account: "111122223333", vaultUID: vault,
            key: key)
    }
}
