// SPDX-License-Identifier: Apache-2.0

/// Sizes as people write them: `128MiB`, `1GiB`, or a plain count of bytes.
public enum ByteSizeText {
    private static let units: [(suffix: String, bytes: Int)] = [
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("B", 1),
    ]
    private static let remedy = "Write a whole number and B, KiB, MiB, GiB or TiB, for example 256MiB."

    /// A whole number of bytes from 0 to `Int.max`. Decimal units (`MB`) are refused, because people mean different
    /// things by them.
    public static func parse(_ text: String) throws(InvalidValue) -> Int {
        let unit = units.first { text.hasSuffix($0.suffix) }
        let digits = text.dropLast(unit?.suffix.count ?? 0)
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw InvalidValue("is not a size in bytes", remedy: remedy)
        }
        let (bytes, overflow) = Int(digits)?.multipliedReportingOverflow(by: unit?.bytes ?? 1) ?? (0, true)
        guard !overflow else { throw InvalidValue("is larger than any size can be", remedy: remedy) }
        return bytes
    }

    /// As ``parse(_:)``, within bounds.
    static func parse(_ text: String, in bounds: ClosedRange<Int>) throws(InvalidValue) -> Int {
        let bytes = try parse(text)
        guard bounds.contains(bytes) else {
            throw InvalidValue(
                "is out of bounds",
                remedy: "Write a size from \(format(bounds.lowerBound)) to \(format(bounds.upperBound)).")
        }
        return bytes
    }

    /// The shortest exact text, for example `48MiB`.
    static func format(_ bytes: Int) -> String {
        let unit = units.dropLast().last { bytes >= $0.bytes && bytes % $0.bytes == 0 }
        return unit.map { "\(bytes / $0.bytes)\($0.suffix)" } ?? "\(bytes)B"
    }
}
