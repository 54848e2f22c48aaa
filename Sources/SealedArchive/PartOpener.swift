// SPDX-License-Identifier: Apache-2.0

import Compression
public import Cryptography
import TreeHash

/// Opens any frames of one part blob. The opener does arithmetic and verification; the caller does the reading:
///
///     footerReadRange → readFooter → indexReadRange → parseIndex → frameReadRange → openFrame
///
/// The footer comes first, because it is found relative to the end and its chunks prove that the blob is whole
/// (Docs/Formats/Part-v1.md §4). Never returns wrong bytes: every chunk is authenticated, and every leaf of a part hashed. Leaves of
/// staged output were hashed by whoever staged them, and are not hashed again (Docs/Decisions/0015-staged-frames.md).
///
/// `@unchecked Sendable` because every verb that touches mutable state holds the ownership gate.
public final class PartOpener: @unchecked Sendable {
    public let preamble: BlobPreamble
    public let sealHeader: SealHeader
    /// Bytes of the whole blob.
    public let blobBytes: UInt64

    private let message: MessageOpener
    private let scratch: PartScratch
    private let gate = OwnershipGate()

    /// - Parameters:
    ///   - prefix: the blob's first 96 bytes (more may follow).
    ///   - blobBytes: the blob's whole length, from the store or the manifest.
    ///   - expectation: who the part must be; kind `part` or `staged`.
    ///   - expectedSealHeader: what the manifest pins; nil where no manifest speaks about the blob yet.
    ///   - scratch: working memory that no other sealer or opener uses at the same time.
    public init(
        prefix: some Collection<UInt8>, blobBytes: UInt64, expecting expectation: BlobExpectation, account: String,
        vaultUID: [UInt8], key: SecretKey, expectedSealHeader: SealHeader? = nil, scratch: PartScratch = PartScratch()
    ) throws(FormatError) {
        precondition(
            expectation.kind == .part || expectation.kind == .staged, "only parts and staged output have part bodies")
        let preamble = try BlobPreamble(parsing: prefix)
        try expectation.check(preamble)
        let start = prefix.dropFirst(BlobPreamble.byteCount).prefix(Seal.headerBytes)
        guard let header = SealHeader(bytes: start), blobBytes >= UInt64(PartFormat.prefixBytes) else {
            throw .seal(.truncated)
        }
        if let expectedSealHeader, expectedSealHeader != header { throw .wrongSealHeader }
        let context = BlobContext(preamble: preamble, account: account, vaultUID: vaultUID).bytes
        message = try sealing { () throws(SealError) in
            try MessageOpener(
                key: key, context: context, header: header,
                sealedLength: blobBytes - UInt64(BlobPreamble.byteCount))
        }
        guard message.plaintextLength >= UInt64(PartFormat.footerBytes) else {
            throw .malformed("part body shorter than its footer")
        }
        self.preamble = preamble
        self.sealHeader = header
        self.blobBytes = blobBytes
        self.scratch = scratch
    }

    // MARK: footer

    /// The blob bytes to read for `readFooter`: always up to the end of the blob, because the last chunk, which may be
    /// empty, is what proves that nothing was cut off.
    public var footerReadRange: Range<UInt64> { blobRange(footerChunks) }

    private var footerChunks: Range<UInt64> {
        Seal.chunkRange(forPlaintext: footerBodyRange).lowerBound..<message.chunkCount
    }

    private var footerBodyRange: Range<UInt64> {
        message.plaintextLength - UInt64(PartFormat.footerBytes)..<message.plaintextLength
    }

    /// Opens and checks the footer.
    /// - Parameter ciphertext: the bytes of `footerReadRange`.
    public func readFooter(ciphertext: RawSpan) throws(FormatError) -> PartFooter {
        try withOpened(footerBodyRange, chunks: footerChunks, ciphertext: ciphertext) { bytes throws(FormatError) in
            try PartFooter(parsing: bytes, bodyLength: message.plaintextLength, kind: preamble.kind)
        }
    }

    // MARK: index

    /// The blob bytes to read for `parseIndex` of those frames.
    public func indexReadRange(_ footer: PartFooter, frames: Range<Int>) -> Range<UInt64> {
        blobRange(Seal.chunkRange(forPlaintext: indexBodyRange(footer, frames: frames)))
    }

    /// The entry before the first one, if any, says where the first frame starts.
    private func indexBodyRange(_ footer: PartFooter, frames: Range<Int>) -> Range<UInt64> {
        precondition(frames.upperBound <= footer.frameCount, "frames lie inside the part")
        let first = frames.isEmpty ? frames.lowerBound : max(0, frames.lowerBound - 1)
        let size = UInt64(PartFormat.entryBytes)
        return footer.indexOffset + UInt64(first) * size..<footer.indexOffset + UInt64(frames.upperBound) * size
    }

    /// Opens and checks index entries.
    /// - Parameters:
    ///   - frames: at most `PartFormat.maxEntriesPerRead`.
    ///   - ciphertext: the bytes of `indexReadRange`.
    public func parseIndex(
        _ footer: PartFooter, frames: Range<Int>, ciphertext: RawSpan
    ) throws(FormatError) -> [FrameEntry] {
        precondition(frames.count <= PartFormat.maxEntriesPerRead, "too many index entries in one read")
        guard !frames.isEmpty else { return [] }
        let range = indexBodyRange(footer, frames: frames)
        return try withOpened(range, chunks: Seal.chunkRange(forPlaintext: range), ciphertext: ciphertext) {
            bytes throws(FormatError) in
            var entries: [FrameEntry] = []
            entries.reserveCapacity(frames.count)
            var position = 0
            var start: UInt64 = 0
            if frames.lowerBound > 0 {
                start = bytes.bigEndian(at: 0, as: UInt64.self)
                position = PartFormat.entryBytes
                guard start >= UInt64(frames.lowerBound), start <= footer.indexOffset else {
                    throw .malformed("index entry \(frames.lowerBound - 1)")
                }
            }
            for frame in frames {
                let entry = UnsafeRawBufferPointer(rebasing: bytes[position..<(position + PartFormat.entryBytes)])
                let parsed = try Self.parseEntry(entry, frame: frame, start: start, footer: footer)
                start = parsed.bodyRange.upperBound
                position += PartFormat.entryBytes
                entries.append(parsed)
            }
            return entries
        }
    }

    private static func parseEntry(
        _ bytes: UnsafeRawBufferPointer, frame: Int, start: UInt64, footer: PartFooter
    ) throws(FormatError) -> FrameEntry {
        let end = bytes.bigEndian(at: 0, as: UInt64.self)
        guard let codec = FrameCodec(rawValue: bytes[8]) else { throw .newerVersion("frame codec \(bytes[8])") }
        let content = footer.contentBytes(ofFrame: frame)
        let isLast = frame == footer.frameCount - 1
        guard end > start, end <= footer.indexOffset, !isLast || end == footer.indexOffset else {
            throw .malformed("end offset of frame \(frame)")
        }
        let stored = end - start
        guard codec == .raw ? stored == content : stored < content else {
            throw .malformed("stored length of frame \(frame)")
        }
        guard let digest = SHA256Digest(bytes: bytes[9...]) else { throw .malformed("digest of frame \(frame)") }
        return FrameEntry(index: frame, bodyRange: start..<end, codec: codec, contentBytes: content, digest: digest)
    }

    // MARK: frames

    /// The blob bytes to read for `openFrame`.
    public func frameReadRange(_ entry: FrameEntry) -> Range<UInt64> {
        blobRange(Seal.chunkRange(forPlaintext: entry.bodyRange))
    }

    /// Whether the leaf hash is still to be compared when a frame has been authenticated.
    private var hashesLeaves: Bool { preamble.kind != .staged }

    /// Opens, inflates and verifies one frame. On any error the output is wiped.
    /// - Parameters:
    ///   - ciphertext: the bytes of `frameReadRange`.
    ///   - output: at least `entry.contentBytes` bytes.
    /// - Returns: `entry.contentBytes`.
    public func openFrame(
        _ entry: FrameEntry, ciphertext: RawSpan, into output: UnsafeMutableRawBufferPointer
    ) throws(FormatError) -> Int {
        precondition(output.count >= entry.contentBytes, "output smaller than the frame")
        let target = UnsafeMutableRawBufferPointer(rebasing: output[..<entry.contentBytes])
        do throws(FormatError) {
            try decode(entry, ciphertext: ciphertext, into: target)
            guard !hashesLeaves || SHA256Hasher.hash(UnsafeRawBufferPointer(target)) == entry.digest else {
                throw .wrongLeafHash(frame: entry.index)
            }
        } catch {
            target.initializeMemory(as: UInt8.self, repeating: 0)
            throw error
        }
        return entry.contentBytes
    }

    /// The blob bytes to read for `openFrames` of two frames that follow each other.
    public func frameReadRange(_ first: FrameEntry, _ second: FrameEntry) -> Range<UInt64> {
        precondition(second.index == first.index + 1, "two frames are opened together when they follow each other")
        return frameReadRange(first).lowerBound..<frameReadRange(second).upperBound
    }

    /// Opens, inflates and verifies two frames that follow each other; their leaves are hashed together, which costs little more than one
    /// alone. On any error both outputs are wiped.
    /// - Parameters:
    ///   - ciphertext: the bytes of `frameReadRange(_:_:)`.
    ///   - outputs: at least `contentBytes` bytes each.
    public func openFrames(
        _ first: FrameEntry, _ second: FrameEntry, ciphertext: RawSpan,
        into outputs: (UnsafeMutableRawBufferPointer, UnsafeMutableRawBufferPointer)
    ) throws(FormatError) {
        precondition(
            outputs.0.count >= first.contentBytes && outputs.1.count >= second.contentBytes, "output smaller than the frame")
        let targets = (
            UnsafeMutableRawBufferPointer(rebasing: outputs.0[..<first.contentBytes]),
            UnsafeMutableRawBufferPointer(rebasing: outputs.1[..<second.contentBytes])
        )
        do throws(FormatError) {
            let start = frameReadRange(first).lowerBound
            for (entry, target) in [(first, targets.0), (second, targets.1)] {
                let range = frameReadRange(entry)
                let own = ciphertext.extracting(Int(range.lowerBound - start)..<Int(range.upperBound - start))
                try decode(entry, ciphertext: own, into: target)
            }
            if hashesLeaves { try Self.compareLeaves(first, targets.0, second, targets.1) }
        } catch {
            for target in [targets.0, targets.1] { target.initializeMemory(as: UInt8.self, repeating: 0) }
            throw error
        }
    }

    /// Verifies frames that follow each other, one or two, and seals them again as they are stored. On any error the sealer must be given
    /// up, and nothing of the output used.
    /// - Parameters:
    ///   - ciphertext: the bytes from the first frame's `frameReadRange` to the last one's.
    ///   - sealer: of staged output.
    ///   - rooms: where the contents are looked at, one for each frame; not the scratch of the opener or the sealer.
    ///   - output: room for what `PartSealer.maxOutputBytes` says of each frame.
    /// - Returns: how many bytes of output to write to the staged blob.
    public func transfer(
        _ entries: [FrameEntry], ciphertext: RawSpan, to sealer: PartSealer, rooms: (PartScratch, PartScratch),
        into output: UnsafeMutableRawBufferPointer
    ) throws(FormatError) -> Int {
        precondition((1...2).contains(entries.count), "one or two frames are transferred together")
        rooms.0.gate.enter()
        rooms.1.gate.enter()
        defer {
            rooms.0.gate.leave()
            rooms.1.gate.leave()
        }
        let start = frameReadRange(entries[0]).lowerBound
        var written = 0
        var contents: [UnsafeMutableRawBufferPointer] = []
        for (entry, room) in zip(entries, [rooms.0, rooms.1]) {
            let range = frameReadRange(entry)
            let own = ciphertext.extracting(Int(range.lowerBound - start)..<Int(range.upperBound - start))
            let content = UnsafeMutableRawBufferPointer(rebasing: room.buffer[..<entry.contentBytes])
            try decode(entry, ciphertext: own, into: content) { stored throws(FormatError) in
                written += try sealer.append(
                    stored: stored.bytes, of: entry, into: UnsafeMutableRawBufferPointer(rebasing: output[written...]))
            }
            contents.append(content)
        }
        if entries.count == 2 {
            try Self.compareLeaves(entries[0], contents[0], entries[1], contents[1])
        } else if SHA256Hasher.hash(UnsafeRawBufferPointer(contents[0])) != entries[0].digest {
            throw .wrongLeafHash(frame: entries[0].index)
        }
        return written
    }

    /// Hashes two leaves in one pass and compares them with their entries.
    private static func compareLeaves(
        _ first: FrameEntry, _ firstContent: UnsafeMutableRawBufferPointer, _ second: FrameEntry,
        _ secondContent: UnsafeMutableRawBufferPointer
    ) throws(FormatError) {
        var firstLane = SHA256Lane()
        var secondLane = SHA256Lane()
        SHA256Lanes.update(
            &firstLane, UnsafeRawBufferPointer(firstContent).bytes, &secondLane, UnsafeRawBufferPointer(secondContent).bytes)
        guard firstLane.finalizeAndReset() == first.digest else { throw .wrongLeafHash(frame: first.index) }
        guard secondLane.finalizeAndReset() == second.digest else { throw .wrongLeafHash(frame: second.index) }
    }

    /// Decrypts and inflates; the leaf is not hashed yet. Lends the frame as it is stored.
    private func decode(
        _ entry: FrameEntry, ciphertext: RawSpan, into target: UnsafeMutableRawBufferPointer,
        stored lend: (UnsafeRawBufferPointer) throws(FormatError) -> Void = { _ throws(FormatError) in }
    ) throws(FormatError) {
        let chunks = Seal.chunkRange(forPlaintext: entry.bodyRange)
        if entry.codec == .raw, message.plaintextRange(ofChunks: chunks) == entry.bodyRange {
            // Whole chunks, as where nothing before was compressed: no copy.
            gate.enter()
            defer { gate.leave() }
            do throws(SealError) {
                _ = try message.open(chunks: chunks, ciphertext: ciphertext, into: target)
            } catch {
                throw .seal(error)
            }
            return try lend(UnsafeRawBufferPointer(target))
        }
        try withOpened(entry.bodyRange, chunks: chunks, ciphertext: ciphertext) { stored throws(FormatError) in
            switch entry.codec {
            case .raw: target.copyMemory(from: stored)
            case .lz4:
                do throws(CompressionError) {
                    try LZ4Block.decompress(stored.bytes, into: target, exactly: entry.contentBytes)
                } catch {
                    throw .malformed("LZ4 block of frame \(entry.index)")
                }
            }
            try lend(stored)
        }
    }

    // MARK: chunks

    /// Where chunks lie in the blob.
    private func blobRange(_ chunks: Range<UInt64>) -> Range<UInt64> {
        let range = message.sealedRange(ofChunks: chunks)
        let start = UInt64(BlobPreamble.byteCount)
        return range.lowerBound + start..<range.upperBound + start
    }

    /// Opens chunks into the scratch and lends the wanted bytes of the body.
    private func withOpened<R>(
        _ bodyRange: Range<UInt64>, chunks: Range<UInt64>, ciphertext: RawSpan,
        _ body: (UnsafeRawBufferPointer) throws(FormatError) -> R
    ) throws(FormatError) -> R {
        gate.enter()
        scratch.gate.enter()
        defer {
            scratch.gate.leave()
            gate.leave()
        }
        do throws(SealError) {
            _ = try message.open(chunks: chunks, ciphertext: ciphertext, into: scratch.buffer)
        } catch {
            throw .seal(error)
        }
        let start = Int(bodyRange.lowerBound - message.plaintextRange(ofChunks: chunks).lowerBound)
        let opened = UnsafeRawBufferPointer(scratch.buffer)[start..<(start + bodyRange.count)]
        return try body(UnsafeRawBufferPointer(rebasing: opened))
    }
}
