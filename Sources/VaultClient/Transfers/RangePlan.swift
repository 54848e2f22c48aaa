// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// A stretch of bytes cut into equal pieces of 2^k MiB, of which the last may be shorter: the parts of an upload, and
/// the ranges of a download.
///
/// Law: every piece is a node of the tree over the stretch, so the tree hash of the whole is the pieces' hashes
/// combined, and a service can state the hash of each.
public struct RangePlan: Sendable, Hashable {
    /// Bytes of the whole.
    public let totalBytes: UInt64
    /// Bytes of every piece but the last: 2^k MiB.
    public let pieceBytes: UInt64

    /// - Parameter pieceBytes: 2^k MiB.
    public init(totalBytes: UInt64, pieceBytes: UInt64) {
        precondition(PartSizing.isPartSize(pieceBytes), "pieces are 2^k MiB")
        self.totalBytes = totalBytes
        self.pieceBytes = pieceBytes
    }

    /// Download ranges: `wanted`, or larger where a file would need more than 10,000 of them.
    static func download(totalBytes: UInt64, wanted: UInt64) -> RangePlan {
        var pieceBytes = wanted
        while PartSizing.parts(of: totalBytes, partBytes: pieceBytes) > PartSizing.mostParts,
            pieceBytes < PartSizing.largestBytes
        { pieceBytes *= 2 }
        return RangePlan(totalBytes: totalBytes, pieceBytes: pieceBytes)
    }

    /// How many pieces there are.
    public var count: Int { Int(PartSizing.parts(of: totalBytes, partBytes: pieceBytes)) }

    /// The bytes of piece `index`, which must be below ``count``.
    public subscript(index: Int) -> Range<UInt64> {
        precondition((0..<count).contains(index), "no such piece")
        let first = UInt64(index) * pieceBytes
        return first..<min(first + pieceBytes, totalBytes)
    }

    /// Which of the parts a service already holds are parts of this plan. A part with the right beginning and the wrong
    /// length is left out, so that it is sent again and replaced.
    ///
    /// - Throws: ``ClientError`` of kind `usage` when a part cannot belong to this file at all: it must not end up in
    ///   the archive, and there is no way to remove one part.
    public func matching(_ parts: [PartDescription]) throws(ClientError) -> [Int: SHA256Digest] {
        var matching: [Int: SHA256Digest] = [:]
        for part in parts {
            let index = part.range.lowerBound / pieceBytes
            guard part.range.lowerBound % pieceBytes == 0, index < UInt64(count) else {
                throw ClientError(
                    .usage,
                    "The upload holds bytes \(ByteRangeText.format(part.range)), which this file of "
                        + "\(ByteText.exact(totalBytes)) does not have.",
                    remedy: "It was begun for another file: upload without --resume.")
            }
            if self[Int(index)] == part.range { matching[Int(index)] = part.treeHash }
        }
        return matching
    }
}

/// What can be said about the `--range` of a retrieval before the archive's size is known.
public enum RetrievalRange {
    /// - Throws: ``ClientError`` of kind `usage` when no archive could serve the range.
    public static func parse(_ text: String) throws(ClientError) -> Range<UInt64> {
        let mebibyte: UInt64 = 1 << 20
        guard let range = ByteRangeText.parse(text), range.lowerBound % mebibyte == 0 else {
            throw ClientError(
                .usage, "'\(text)' cannot be a retrieval range.",
                remedy:
                    "A range is FIRST-LAST in bytes, both inclusive; FIRST is a multiple of 1048576, and LAST + "
                    + "1 as well unless "
                    + "LAST is the archive's last byte. Example: 0-4194303.")
        }
        return range
    }

    /// Whether the range is a node of the tree of every archive that reaches beyond it; otherwise only an archive that
    /// ends with it can give it a hash.
    public static func isSurelyVerifiable(_ range: Range<UInt64>) -> Bool {
        let mebibyte: UInt64 = 1 << 20
        let length = range.upperBound - range.lowerBound
        guard range.upperBound % mebibyte == 0 else { return false }
        let leaves = length / mebibyte
        return leaves & (leaves - 1) == 0 && range.lowerBound % length == 0
    }
}
