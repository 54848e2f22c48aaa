// SPDX-License-Identifier: Apache-2.0

/// Which part size suits a file. Pure arithmetic over the limits of the API.
public enum PartSizing {
    /// Smallest and largest part size, and the most parts an upload may have.
    public static let smallestBytes: UInt64 = 1 << 20
    /// Largest part size.
    public static let largestBytes: UInt64 = 4 << 30
    /// The most parts an upload may have.
    public static let mostParts: UInt64 = 10_000
    /// Chosen where the file leaves the choice: large enough to be fast, small enough to repeat cheaply.
    public static let preferredBytes: UInt64 = 16 << 20
    /// About 39 TiB: the largest archive there can be.
    public static let largestArchiveBytes = largestBytes * mostParts

    /// The part size for a file.
    ///
    /// - Parameter wanted: what the person asked for; nil to choose.
    /// - Throws: ``ClientError`` of kind `usage` that says which size would do.
    public static func partBytes(forFile fileBytes: UInt64, wanted: UInt64?) throws(ClientError) -> UInt64 {
        guard fileBytes > 0 else {
            throw ClientError(.usage, "The file is empty, and an archive has at least one byte.")
        }
        guard fileBytes <= largestArchiveBytes else {
            throw ClientError(
                .usage,
                "The file has \(ByteText.exact(fileBytes)), more than an archive can have "
                    + "(\(ByteText.exact(largestArchiveBytes))).",
                remedy: "Split it: an archive is at most 10,000 parts of 4 GiB.")
        }
        var smallest = smallestBytes
        while parts(of: fileBytes, partBytes: smallest) > mostParts { smallest *= 2 }
        guard let wanted else { return max(smallest, preferredBytes) }
        guard isPartSize(wanted) else {
            throw ClientError(
                .usage, "\(ByteText.exact(wanted)) cannot be a part size.",
                remedy: "Part sizes are 1 MiB, 2 MiB, 4 MiB and so on up to 4 GiB.")
        }
        guard wanted >= smallest else {
            throw ClientError(
                .usage,
                "With parts of \(ByteText.short(wanted)) this file of \(ByteText.exact(fileBytes)) would need "
                    + "\(parts(of: fileBytes, partBytes: wanted)) parts, and an upload has at most \(mostParts).",
                remedy: "Use --part-size \(ByteText.short(smallest)) or larger, or leave the choice to the program.")
        }
        return wanted
    }

    /// 2^k MiB between the limits.
    public static func isPartSize(_ bytes: UInt64) -> Bool {
        (smallestBytes...largestBytes).contains(bytes) && bytes & (bytes - 1) == 0
    }

    static func parts(of bytes: UInt64, partBytes: UInt64) -> UInt64 {
        bytes / partBytes + (bytes % partBytes == 0 ? 0 : 1)
    }
}

/// Sizes for people, and back.
public enum ByteText {
    private static let units = ["B", "KiB", "MiB", "GiB", "TiB"]

    /// `4 MiB` becomes `4MiB`, 1.4 GiB `1.4GiB`.
    public static func short(_ bytes: UInt64) -> String {
        var scaled = Double(bytes)
        var unit = 0
        while scaled >= 1024, unit < units.count - 1 {
            scaled /= 1024
            unit += 1
        }
        let tenths = UInt64((scaled * 10).rounded())
        return tenths % 10 == 0 || unit == 0
            ? "\(tenths / 10)\(units[unit])" : "\(tenths / 10).\(tenths % 10)\(units[unit])"
    }

    /// The number in full, with its unit.
    public static func exact(_ bytes: UInt64) -> String { bytes == 1 ? "1 byte" : "\(bytes) bytes" }

    /// `4194304`, `4M`, `4MB` and `4MiB` are all the same: units are powers of 1024, as the API means them.
    public static func parse(_ text: String) -> UInt64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = UInt64(digits) else { return nil }
        let shift: UInt64
        switch text.dropFirst(digits.count).lowercased() {
        case "", "b": shift = 0
        case "k", "kb", "kib": shift = 10
        case "m", "mb", "mib": shift = 20
        case "g", "gb", "gib": shift = 30
        case "t", "tb", "tib": shift = 40
        default: return nil
        }
        let product = number.multipliedReportingOverflow(by: 1 << shift)
        return product.overflow ? nil : product.partialValue
    }
}
