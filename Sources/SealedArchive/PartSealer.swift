// SPDX-License-Identifier: Apache-2.0

import Compression
public import Cryptography
import TreeHash

/// Makes one part blob: compresses, seals and hashes frame by frame. Docs/Formats/Part-v1.md §2.
///
///     prefix, append(frame) …, finish  →  preamble ‖ seal header ‖ sealed(frames ‖ index ‖ footer)
///
/// Write `prefix`, then every output in order. Memory: the scratch, and 41 bytes of index per MiB.
///
/// `@unchecked Sendable` because every verb holds the ownership gate: an owner may move from thread to thread, and two
/// at once trap.
public final class PartSealer: @unchecked Sendable {
    /// The most bytes that one `append` writes.
    public static let maxOutputBytesPerFrame = maxOutputBytes(frameBytes: PartFormat.frameBytes)

    /// The most bytes that `append` writes for a frame of so many bytes.
    public static func maxOutputBytes(frameBytes: Int) -> Int { MessageSealer.maxOutputBytes(forPlaintextBytes: frameBytes) }

    /// The preamble and the seal header: the blob's first 96 bytes.
    public let prefix: [UInt8]

    private let sealHeader: SealHeader
    /// Nil for staged output: its length so far is what counts.
    private let declaredBytes: UInt64?
    private var isStaged: Bool { declaredBytes == nil }
    private let compress: Bool
    private let scratch: PartScratch
    private let gate = OwnershipGate()
    private let message: MessageSealer
    private var hasher: LinearAndTreeHasher
    private var blobLane = SHA256Lane()
    private var index: [UInt8] = []
    private var frameCount = 0
    private var contentBytes: UInt64 = 0
    private var bodyBytes: UInt64 = 0
    private var blobBytes: UInt64

    /// - Parameters:
    ///   - preamble: kind `part` or `staged`.
    ///   - account: 12 digits.
    ///   - vaultUID: 16 bytes.
    ///   - key: the archive's data key, or the staged object's own key.
    ///   - compress: whether to try LZ4; each frame that does not shrink by a sixteenth is stored raw.
    ///   - expectedBytes: the content's exact length; at most `PartFormat.maxPartBytes` for a part.
    ///   - scratch: working memory that no other sealer or opener uses at the same time.
    public convenience init(
        preamble: BlobPreamble, account: String, vaultUID: [UInt8], key: SecretKey, compress: Bool,
        expectedBytes: UInt64, random: some RandomByteSource, scratch: PartScratch = PartScratch()
    ) throws(FormatError) {
        try self.init(
            preamble: preamble, account: account, vaultUID: vaultUID, key: key, compress: compress,
            expectedBytes: expectedBytes,
            declaredBytes: expectedBytes, hasher: LinearAndTreeHasher(expectedBytes: expectedBytes), random: random,
            scratch: scratch)
    }

    /// Seals a staged output whose length is known only at its end.
    /// - Parameter maxBytes: the most bytes of content that will come.
    public convenience init(
        stagedUID: [UInt8], account: String, vaultUID: [UInt8], key: SecretKey, compress: Bool, maxBytes: UInt64,
        random: some RandomByteSource, scratch: PartScratch = PartScratch()
    ) throws(FormatError) {
        try self.init(
            preamble: BlobPreamble(kind: .staged, uid: stagedUID, index: 0, number: 0), account: account,
            vaultUID: vaultUID,
            key: key, compress: compress, expectedBytes: maxBytes, declaredBytes: nil,
            hasher: LinearAndTreeHasher(treeOnlyUpTo: maxBytes),
            random: random, scratch: scratch)
    }

    private init(
        preamble: BlobPreamble, account: String, vaultUID: [UInt8], key: SecretKey, compress: Bool,
        expectedBytes: UInt64, declaredBytes: UInt64?, hasher: consuming LinearAndTreeHasher,
        random: some RandomByteSource, scratch: PartScratch
    ) throws(FormatError) {
        precondition(
            preamble.kind == .part || preamble.kind == .staged, "only parts and staged output have part bodies")
        guard expectedBytes <= PartFormat.maxContentBytes(preamble.kind) else {
            throw .limitExceeded("a part of \(expectedBytes) bytes")
        }
        let context = BlobContext(preamble: preamble, account: account, vaultUID: vaultUID).bytes
        message = try sealing { () throws(SealError) in
            try MessageSealer(key: key, context: context, random: random)
        }
        sealHeader = message.header
        prefix = preamble.bytes + message.header.bytes
        self.declaredBytes = declaredBytes
        self.compress = compress
        self.scratch = scratch
        self.hasher = hasher
        blobLane.update(prefix)
        blobBytes = UInt64(prefix.count)
        index.reserveCapacity(
            Int(min(TreeHash.leafCount(expectedBytes), UInt64(PartFormat.maxEntriesPerRead))) * PartFormat.entryBytes)
    }

    /// The bytes that `finish` needs room for, when all content has been appended (for a part also before).
    public var maxFinishBytes: Int { Self.maxFinishBytes(contentBytes: declaredBytes ?? contentBytes) }

    /// The bytes that `finish` needs room for, for a content of that length.
    public static func maxFinishBytes(contentBytes: UInt64) -> Int {
        let tail = Int(TreeHash.leafCount(contentBytes)) * PartFormat.entryBytes + PartFormat.footerBytes
        return MessageSealer.maxOutputBytes(forPlaintextBytes: tail) + MessageSealer.finishBytes
    }

    /// The exact length of the blob if no frame is compressed; with compression it is at most this.
    public static func maxBlobBytes(contentBytes: UInt64) -> UInt64 {
        let tail = TreeHash.leafCount(contentBytes) * UInt64(PartFormat.entryBytes) + UInt64(PartFormat.footerBytes)
        return UInt64(BlobPreamble.byteCount) + Seal.sealedLength(contentBytes + tail)
    }

    /// Takes the next frame: 1 MiB, or what is left. Other lengths are a programmer's error and trap.
    /// - Parameter output: at least `maxOutputBytes(frameBytes:)` bytes, not overlapping the frame.
    /// - Returns: how many bytes of output to write to the blob.
    public func append(frame: RawSpan, into output: UnsafeMutableRawBufferPointer) throws(FormatError) -> Int {
        gate.enter()
        defer { gate.leave() }
        precondition(
            output.count >= Self.maxOutputBytes(frameBytes: frame.byteCount), "output smaller than the frame may become")
        let (codec, stored, written) = try store(frame, into: output)
        let sealed = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(output)[..<written])
        // The content's hashes wait for the blob's bytes, because all of them together cost little more than one.
        let digest = isStaged ? hasher.updateLeaf(frame) : hasher.updateLeaf(frame, beside: &blobLane, sealed.bytes)
        enter(digest, codec, contentBytes: frame.byteCount, storedBytes: stored, written: written)
        return written
    }

    /// Takes the next frame of staged output over from another part, as it is stored there: nothing is compressed or hashed again.
    /// If the frame turns out not to match its leaf hash, the sealer must be given up.
    /// - Parameters:
    ///   - stored: the frame as its part stores it.
    ///   - entry: what its part's index says about it.
    ///   - output: at least `maxOutputBytes(frameBytes:)` bytes, not overlapping the frame.
    /// - Returns: how many bytes of output to write to the blob.
    func append(stored: RawSpan, of entry: FrameEntry, into output: UnsafeMutableRawBufferPointer) throws(FormatError) -> Int {
        gate.enter()
        defer { gate.leave() }
        precondition(isStaged, "a part's frames are hashed by who makes it")
        let written = try sealing { () throws(SealError) in try message.seal(stored, into: output) }
        hasher.append(leaf: entry.digest, byteCount: entry.contentBytes)
        enter(entry.digest, entry.codec, contentBytes: entry.contentBytes, storedBytes: stored.byteCount, written: written)
        return written
    }

    /// Accounts for a frame that was sealed.
    private func enter(_ digest: SHA256Digest, _ codec: FrameCodec, contentBytes content: Int, storedBytes stored: Int, written: Int) {
        blobBytes += UInt64(written)
        contentBytes += UInt64(content)
        bodyBytes += UInt64(stored)
        frameCount += 1
        index.append(bigEndian: bodyBytes)
        index.append(codec.rawValue)
        digest.withUnsafeBytes { index.append(contentsOf: $0) }
    }

    /// Writes the index and the footer and ends the part; all expected bytes must have come. No verb may follow.
    /// - Parameter output: at least `maxFinishBytes` bytes.
    public func finish(
        into output: UnsafeMutableRawBufferPointer
    ) throws(FormatError) -> (written: Int, summary: SealedPartSummary) {
        gate.enter()
        defer { gate.leave() }
        precondition(output.count >= maxFinishBytes, "output smaller than maxFinishBytes")
        let (linear, tree) = hasher.finish()
        let footer = PartFooter(partLength: contentBytes, frameCount: frameCount, indexOffset: bodyBytes)
        index.append(contentsOf: footer.bytes)
        let tail = index
        let written = try sealing { () throws(SealError) in
            let first = try message.seal(tail.span.bytes, into: output)
            return first + (try message.finish(into: UnsafeMutableRawBufferPointer(rebasing: output[first...])))
        }
        if !isStaged { blobLane.update(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(output)[..<written])) }
        blobBytes += UInt64(written)
        let summary = SealedPartSummary(
            length: contentBytes, sealedBytes: blobBytes, treeHash: tree, linearHash: linear,
            blobDigest: isStaged ? nil : blobLane.finalizeAndReset(), sealHeader: sealHeader)
        return (written, summary)
    }

    /// Seals the frame, compressed if that pays.
    private func store(
        _ frame: RawSpan, into output: UnsafeMutableRawBufferPointer
    ) throws(FormatError) -> (codec: FrameCodec, storedBytes: Int, written: Int) {
        do throws(SealError) {
            if compress {
                scratch.gate.enter()
                defer { scratch.gate.leave() }
                let limit = PartFormat.compressionLimit(frame.byteCount)
                if let length = LZ4Block.compress(frame, into: scratch.buffer, limit: limit) {
                    let block = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(scratch.buffer)[..<length])
                    return (.lz4, length, try message.seal(block.bytes, into: output))
                }
            }
            return (.raw, frame.byteCount, try message.seal(frame, into: output))
        } catch {
            throw .seal(error)
        }
    }
}
