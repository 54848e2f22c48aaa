// SPDX-License-Identifier: Apache-2.0

/// An inclusive range of bytes, never empty: `first...last`, as ranges are written on the wire.
public struct ByteRange: Hashable, Sendable, CustomStringConvertible {
    public let first: UInt64
    public let last: UInt64

    /// Fails when `last` lies before `first` or the length would not fit 63 bits.
    public init?(first: UInt64, last: UInt64) {
        guard first <= last, last < UInt64(Int64.max) else { return nil }
        self.first = first
        self.last = last
    }

    /// Reads `<first>-<last>` in decimal digits without sign, space or leading `bytes`.
    public init?(_ text: some StringProtocol) {
        let pieces = text.split(separator: "-", maxSplits: 2, omittingEmptySubsequences: false)
        guard pieces.count == 2, let first = Self.decimal(pieces[0]), let last = Self.decimal(pieces[1]) else { return nil }
        self.init(first: first, last: last)
    }

    /// Digits only, at most 19 of them; nil otherwise.
    public static func decimal(_ text: some StringProtocol) -> UInt64? {
        guard (1...19).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return UInt64(text)
    }

    public var count: UInt64 { last - first + 1 }
    public var description: String { "\(first)-\(last)" }

    /// Covers the whole of something `size` bytes long; nil for nothing.
    public static func whole(size: UInt64) -> ByteRange? { size == 0 ? nil : ByteRange(first: 0, last: size - 1) }

    /// Starts on a MiB and ends on one or at the end of the archive: what a retrieval range must satisfy.
    public func isMegabyteAligned(size: UInt64) -> Bool {
        let leaf = UInt64(Limits.leafBytes)
        return first % leaf == 0 && last < size && ((last + 1) % leaf == 0 || last == size - 1)
    }

    /// Whether the tree hash of this range is a node of the tree of the whole `size` bytes:
    /// for some `i`, `j`: `first = j·2^i MiB` and `last = min((j+1)·2^i MiB, size) - 1`.
    public func isTreeHashAligned(size: UInt64) -> Bool {
        guard isMegabyteAligned(size: size) else { return false }
        var span = UInt64(Limits.leafBytes)
        while true {
            if first % span == 0, last == min(first + span, size) - 1 { return true }
            if first + span >= size || first % span != 0 { return false }
            span *= 2
        }
    }
}
