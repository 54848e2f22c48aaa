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

/// `bytes <first>-<last>/*`; a number instead of `*` is tolerated.
enum PartRangeText {
    static func parse(_ text: String) -> ByteRange? {
        guard text.utf8.count <= 100, text.hasPrefix("bytes ") else { return nil }
        let pieces = text.dropFirst(6).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard pieces.count == 2, pieces[1] == "*" || ByteRange.decimal(pieces[1]) != nil else { return nil }
        return ByteRange(pieces[0])
    }
}

/// The `Range` header of GetJobOutput: one range of bytes, RFC 9110 section 14.1.2.
enum OutputRangeText {
    /// Nil when the text is not exactly one range of bytes.
    static func parse(_ text: String) -> OutputRangeBounds? {
        guard text.utf8.count <= 100, text.lowercased().hasPrefix("bytes=") else { return nil }
        let ends = text.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2 else { return nil }
        switch (ends[0].isEmpty, ends[1].isEmpty) {
        case (true, true): return nil
        case (true, false): return ByteRange.decimal(ends[1]).flatMap { $0 > 0 ? .suffix($0) : nil }
        case (false, true): return ByteRange.decimal(ends[0]).map { .from($0) }
        case (false, false):
            guard let first = ByteRange.decimal(ends[0]), let last = ByteRange.decimal(ends[1]), first <= last else {
                return nil
            }
            return .closed(first, last)
        }
    }
}

/// The three forms of a byte range.
enum OutputRangeBounds: Hashable, Sendable {
    case from(UInt64)
    case closed(UInt64, UInt64)
    case suffix(UInt64)
}

/// What descriptions may hold.
enum PrintableText {
    static let rule = "A description has at most \(Limits.maxDescriptionBytes) printable ASCII characters."

    static func isDescription(_ text: String) -> Bool {
        text.utf8.count <= Limits.maxDescriptionBytes && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }

    /// At most 64 characters of a client's text for a message, everything unprintable replaced.
    static func excerpt(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(64).map { (0x20...0x7E).contains($0.value) ? Character($0) : "?" }
        return String(shown) + (text.unicodeScalars.count > 64 ? "…" : "")
    }
}
