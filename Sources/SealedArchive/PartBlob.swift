// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// Whole part blobs in memory, for small parts, tools and tests. The streaming forms are `PartSealer` and `PartOpener`.
public enum PartBlob {
    /// Seals a content at once.
    public static func seal(
        _ content: [UInt8], preamble: BlobPreamble, account: String, vaultUID: [UInt8], key: SecretKey, compress: Bool,
        random: some RandomByteSource, scratch: PartScratch = PartScratch()
    ) throws(FormatError) -> (blob: [UInt8], summary: SealedPartSummary) {
        let sealer = try PartSealer(
            preamble: preamble, account: account, vaultUID: vaultUID, key: key, compress: compress,
            expectedBytes: UInt64(content.count), random: random, scratch: scratch)
        var blob = sealer.prefix
        let output = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(PartSealer.maxOutputBytesPerFrame, sealer.maxFinishBytes), alignment: 16)
        defer { output.deallocate() }
        for start in stride(from: 0, to: content.count, by: PartFormat.frameBytes) {
            let end = min(start + PartFormat.frameBytes, content.count)
            let written = try sealer.append(frame: content.span.bytes.extracting(start..<end), into: output)
            blob.append(contentsOf: output[..<written])
        }
        let (written, summary) = try sealer.finish(into: output)
        blob.append(contentsOf: output[..<written])
        return (blob, summary)
    }

    /// Opens a whole blob, or the frames that hold a range of its content.
    /// - Parameter read: gives blob bytes of a range; its answer may be shorter, which is an integrity error.
    public static func open(
        blobBytes: UInt64, range: Range<UInt64>? = nil, expecting expectation: BlobExpectation, account: String,
        vaultUID: [UInt8], key: SecretKey, expectedSealHeader: SealHeader? = nil, scratch: PartScratch = PartScratch(),
        read: (Range<UInt64>) throws(FormatError) -> [UInt8]
    ) throws(FormatError) -> [UInt8] {
        let opener = try PartOpener(
            prefix: try read(0..<min(UInt64(PartFormat.prefixBytes), blobBytes)), blobBytes: blobBytes,
            expecting: expectation, account: account, vaultUID: vaultUID, key: key,
            expectedSealHeader: expectedSealHeader, scratch: scratch)
        let tail = try read(opener.footerReadRange)
        let footer = try opener.readFooter(ciphertext: tail.span.bytes)
        let wanted = (range ?? 0..<footer.partLength).clamped(to: 0..<footer.partLength)
        var content: [UInt8] = []
        guard !wanted.isEmpty else { return content }
        let size = UInt64(PartFormat.frameBytes)
        let frames = Int(wanted.lowerBound / size)..<Int((wanted.upperBound - 1) / size) + 1
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: PartFormat.frameBytes, alignment: 16)
        defer { target.deallocate() }
        for first in stride(from: frames.lowerBound, to: frames.upperBound, by: PartFormat.maxEntriesPerRead) {
            let batch = first..<min(first + PartFormat.maxEntriesPerRead, frames.upperBound)
            let index = try read(opener.indexReadRange(footer, frames: batch))
            for entry in try opener.parseIndex(footer, frames: batch, ciphertext: index.span.bytes) {
                let stored = try read(opener.frameReadRange(entry))
                let count = try opener.openFrame(entry, ciphertext: stored.span.bytes, into: target)
                let start = UInt64(entry.index) * size
                let slice = (start..<start + UInt64(count)).clamped(to: wanted)
                content.append(contentsOf: target[Int(slice.lowerBound - start)..<Int(slice.upperBound - start)])
            }
        }
        return content
    }

    /// Opens a blob held in memory.
    public static func open(
        _ blob: [UInt8], range: Range<UInt64>? = nil, expecting expectation: BlobExpectation, account: String,
        vaultUID: [UInt8], key: SecretKey, expectedSealHeader: SealHeader? = nil, scratch: PartScratch = PartScratch()
    ) throws(FormatError) -> [UInt8] {
        try open(
            blobBytes: UInt64(blob.count), range: range, expecting: expectation, account: account, vaultUID: vaultUID,
            key: key, expectedSealHeader: expectedSealHeader, scratch: scratch
        ) { range throws(FormatError) in
            Array(blob[Int(min(range.lowerBound, UInt64(blob.count)))..<Int(min(range.upperBound, UInt64(blob.count)))])
        }
    }
}
