// SPDX-License-Identifier: Apache-2.0

/// Spans of time as people write them: `250ms`, `30s`, `5m`, `12h`, `7d`, or `0`.
public enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]
    private static let remedy = "Write a whole number and ms, s, m, h or d, for example 30s or 24h."
    /// Longest span accepted anywhere.
    static let longest = Duration.seconds(36_500 * 86_400)

    /// A span from zero to 36,500 days. A number without a unit is refused, except 0.
    public static func parse(_ text: String) throws(InvalidValue) -> Duration {
        if text == "0" { return .zero }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let suffix = text.dropFirst(digits.count)
        guard !digits.isEmpty, let unit = units.first(where: { $0.suffix == suffix }) else {
            throw InvalidValue(suffix.isEmpty ? "has no unit" : "is not a span of time", remedy: remedy)
        }
        let (milliseconds, overflow) = Int64(digits)?.multipliedReportingOverflow(by: unit.milliseconds) ?? (0, true)
        guard !overflow, .milliseconds(milliseconds) <= longest else {
            throw InvalidValue("is longer than 36500d", remedy: "Write a shorter span of time.")
        }
        return .milliseconds(milliseconds)
    }

    /// As ``parse(_:)``, within bounds.
    static func parse(_ text: String, in bounds: ClosedRange<Duration>) throws(InvalidValue) -> Duration {
        let duration = try parse(text)
        guard bounds.contains(duration) else {
            throw InvalidValue(
                "is out of bounds",
                remedy: "Write a span from \(format(bounds.lowerBound)) to \(format(bounds.upperBound)).")
        }
        return duration
    }

    /// The shortest exact text, for example `36500d`.
    static func format(_ duration: Duration) -> String {
        let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
        let unit = units.last { milliseconds >= $0.milliseconds && milliseconds % $0.milliseconds == 0 }
        return unit.map { "\(milliseconds / $0.milliseconds)\($0.suffix)" } ?? "0s"
    }
}
