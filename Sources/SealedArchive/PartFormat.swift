// SPDX-License-Identifier: Apache-2.0

public import Cryptography
import TreeHash

/// Numbers of the part body. Docs/Formats/Part-v1.md.
public enum PartFormat {
    /// Bytes of every frame's content but the last: one tree-hash leaf.
    public static let frameBytes = TreeHash.leafBytes
    /// Bytes before the first sealed chunk: preamble and seal header.
    public static let prefixBytes = BlobPreamble.byteCount + Seal.headerBytes
    /// Bytes of one index entry: end offset, codec, leaf digest.
    public static let entryBytes = 8 + 1 + SHA256Digest.byteCount
    /// Bytes of the footer: part length, frame count, index offset.
    public static let footerBytes = 24
    /// The longest part.
    public static let maxPartBytes: UInt64 = 4 << 30
    /// The longest staged output: the largest archive.
    public static let maxStagedBytes: UInt64 = 10_000 * maxPartBytes
    /// How many index entries one call of `PartOpener.parseIndex` takes; a part never has more.
    public static let maxEntriesPerRead = 16384

    static func maxContentBytes(_ kind: BlobKind) -> UInt64 { kind == .staged ? maxStagedBytes : maxPartBytes }

    /// The longest LZ4 block worth storing for `byteCount` bytes: it saves at least one sixteenth.
    static func compressionLimit(_ byteCount: Int) -> Int { byteCount - (byteCount + 15) / 16 }
}

/// How a frame is stored.
public enum FrameCodec: UInt8, Hashable, Sendable {
    case raw = 0
    /// One LZ4 block.
    case lz4 = 1
}

/// One frame as the index describes it.
public struct FrameEntry: Hashable, Sendable {
    /// Position of the frame; its content starts at `index` MiB.
    public let index: Int
    /// Where the stored frame lies in the part body.
    public let bodyRange: Range<UInt64>
    public let codec: FrameCodec
    /// Bytes of the content (the leaf): 1 MiB, or fewer in the last frame.
    public let contentBytes: Int
    /// SHA-256 of the content.
    public let digest: SHA256Digest
}

/// The last 24 bytes of a part body, checked.
public struct PartFooter: Hashable, Sendable {
    /// Bytes of the content.
    public let partLength: UInt64
    public let frameCount: Int
    /// Where the index starts in the body.
    public let indexOffset: UInt64

    init(parsing bytes: UnsafeRawBufferPointer, bodyLength: UInt64, kind: BlobKind) throws(FormatError) {
        let partLength = bytes.bigEndian(at: 0, as: UInt64.self)
        let frames = bytes.bigEndian(at: 8, as: UInt64.self)
        indexOffset = bytes.bigEndian(at: 16, as: UInt64.self)
        guard partLength <= PartFormat.maxContentBytes(kind) else {
            throw .limitExceeded("a part of \(partLength) bytes")
        }
        guard frames == TreeHash.leafCount(partLength) else { throw .malformed("frame count of a part's footer") }
        let tail = frames * UInt64(PartFormat.entryBytes) + UInt64(PartFormat.footerBytes)
        guard indexOffset <= partLength, indexOffset >= frames, bodyLength == indexOffset + tail else {
            throw .malformed("index offset of a part's footer")
        }
        self.partLength = partLength
        frameCount = Int(frames)
    }

    init(partLength: UInt64, frameCount: Int, indexOffset: UInt64) {
        self.partLength = partLength
        self.frameCount = frameCount
        self.indexOffset = indexOffset
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: partLength)
        bytes.append(bigEndian: UInt64(frameCount))
        bytes.append(bigEndian: indexOffset)
        return bytes
    }

    /// Bytes of the content of one frame.
    func contentBytes(ofFrame index: Int) -> Int {
        Int(min(UInt64(PartFormat.frameBytes), partLength - UInt64(index) * UInt64(PartFormat.frameBytes)))
    }
}

/// What a sealed part is, once finished: what a manifest and a catalog say about it.
public struct SealedPartSummary: Hashable, Sendable {
    /// Bytes of the content.
    public let length: UInt64
    /// Bytes of the whole blob, preamble included.
    public let sealedBytes: UInt64
    public let treeHash: SHA256Digest
    /// SHA-256 of the content; nil for staged output, whose length was not declared.
    public let linearHash: SHA256Digest?
    /// Nil for staged output.
    let blobDigest: SHA256Digest?
    public let sealHeader: SealHeader

    /// SHA-256 of the whole blob, preamble included: scrub and repair need no key. Of parts only: staged output is pinned by nothing, and
    /// asking is a programmer's error.
    public var ciphertextSHA256: SHA256Digest {
        guard let blobDigest else { preconditionFailure("the blob of staged output is not hashed") }
        return blobDigest
    }
}
