// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOHTTP1
import VaultModel

/// Reads the headers that operations take parameters from. A parameter given twice is refused: which one was meant
/// cannot be known.
struct RequestHeaders: Sendable {
    private let headers: HTTPHeaders

    init(_ headers: HTTPHeaders) { self.headers = headers }

    /// The header's only value; nil when absent.
    func optional(_ name: String) throws(WireError) -> String? {
        let values = headers[name]
        guard values.count <= 1 else { throw .invalid("The header \(name) was sent more than once.") }
        return values.first
    }

    func required(_ name: String) throws(WireError) -> String {
        guard let value = try optional(name) else { throw .missing(name) }
        return value
    }

    /// A required SHA-256 in its wire form, 64 lowercase hexadecimal digits.
    func digest(_ name: String) throws(WireError) -> SHA256Digest {
        let text = try required(name)
        guard let digest = SHA256Digest(hex: text) else { throw .invalid(name, text) }
        return digest
    }

    /// A required number of bytes.
    func byteCount(_ name: String) throws(WireError) -> UInt64 {
        let text = try required(name)
        guard let value = ByteRange.decimal(text), value <= UInt64(Int64.max) else { throw .invalid(name, text) }
        return value
    }

    /// `x-amz-archive-description` without its leading spaces; empty when absent.
    func archiveDescription() throws(WireError) -> String {
        let name = "x-amz-archive-description"
        guard let text = try optional(name) else { return "" }
        let kept = String(text.drop { $0 == " " })
        guard PrintableText.isDescription(kept) else {
            throw .invalid(name, PrintableText.excerpt(kept), because: PrintableText.rule)
        }
        return kept
    }

    /// `Content-Range: bytes <first>-<last>/*` of a part, checked against the length of the body.
    func partRange(contentLength: UInt64) throws(WireError) -> ByteRange {
        let text = try required("Content-Range")
        guard let range = PartRangeText.parse(text) else { throw .invalid("Content-Range", text) }
        guard range.count == contentLength else {
            throw .invalid("Content-Range: \(text) is incompatible with Content-Length: \(contentLength)")
        }
        return range
    }

    /// `x-amz-part-size`: a power of two times 1 MiB, up to 4 GiB.
    func partSize() throws(WireError) -> UInt64 {
        let text = try required("x-amz-part-size")
        guard let size = ByteRange.decimal(text), size >= Limits.minPartBytes, size <= Limits.maxPartBytes,
            size.nonzeroBitCount == 1
        else {
            throw .invalid(
                "Invalid part size: \(text). Part size must not be null, must be a power of two and be between "
                    + "\(Limits.minPartBytes) and \(Limits.maxPartBytes) bytes.")
        }
        return size
    }
}
