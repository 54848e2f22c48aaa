// SPDX-License-Identifier: Apache-2.0

/// A decimal number of any size, compared exactly: what the `Numeric…` operators work with.
struct DecimalNumber: Hashable, Sendable, Comparable {
    private let isNegative: Bool
    /// Without leading zeros.
    private let whole: [UInt8]
    /// Without trailing zeros.
    private let fraction: [UInt8]

    /// Accepts `-12`, `365`, `0.5`; no exponents, no sign `+`, at most 64 characters.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard (1...64).contains(bytes.count) else { return nil }
        let negative = bytes[0] == UInt8(ascii: "-")
        let parts = bytes.dropFirst(negative ? 1 : 0).split(
            separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.allSatisfy({ part in
            !part.isEmpty && part.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        }) else { return nil }
        whole = Array(parts[0].drop { $0 == UInt8(ascii: "0") })
        var decimals = parts.count == 2 ? Array(parts[1]) : []
        while decimals.last == UInt8(ascii: "0") { decimals.removeLast() }
        fraction = decimals
        isNegative = negative && !(whole.isEmpty && fraction.isEmpty)
    }

    static func < (left: DecimalNumber, right: DecimalNumber) -> Bool {
        guard left.isNegative == right.isNegative else { return left.isNegative }
        return left.isNegative ? right.isSmallerInSize(than: left) : left.isSmallerInSize(than: right)
    }

    private func isSmallerInSize(than other: DecimalNumber) -> Bool {
        guard whole.count == other.whole.count else { return whole.count < other.whole.count }
        guard whole == other.whole else { return whole.lexicographicallyPrecedes(other.whole) }
        return fraction.lexicographicallyPrecedes(other.fraction)
    }
}
