// SPDX-License-Identifier: Apache-2.0

import VaultModel

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
