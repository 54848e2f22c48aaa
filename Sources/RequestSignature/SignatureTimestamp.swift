// SPDX-License-Identifier: Apache-2.0

/// A moment in whole seconds of UTC, as signatures state it: `20120525T002453Z`.
public struct SignatureTimestamp: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Seconds since 1970-01-01T00:00:00Z, without leap seconds; 0 up to the end of the year 9999.
    public let secondsSinceEpoch: Int64

    /// The last second of the year 9999, the last the text form can state.
    public static let latest = SignatureTimestamp(secondsSinceEpoch: 253_402_300_799)

    /// Takes a clock's reading; one outside the years 1970...9999 is moved to the nearest end.
    public init(secondsSinceEpoch: Int64) {
        self.secondsSinceEpoch = min(max(secondsSinceEpoch, 0), 253_402_300_799)
    }

    /// Parses the ISO 8601 basic form `YYYYMMDDTHHMMSSZ`: exactly 16 characters and a date that exists; else nil.
    public init?(basic text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
            let year = Self.number(bytes[0..<4]), let month = Self.number(bytes[4..<6]),
            let day = Self.number(bytes[6..<8]), let hour = Self.number(bytes[9..<11]),
            let minute = Self.number(bytes[11..<13]), let second = Self.number(bytes[13..<15])
        else { return nil }
        self.init(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    }

    /// Parses an HTTP `Date` header, `Sun, 06 Nov 1994 08:49:37 GMT`; `UTC`, `+0000` and `-0000` (which Python's mail
    /// library writes) count as GMT. Other zones and the two obsolete forms of RFC 9110 §5.6.7 give nil.
    public init?(httpDate text: String) {
        let words = text.utf8.split(separator: UInt8(ascii: " ")).map { Array($0) }
        guard text.utf8.count <= 40, words.count == 6, words[0].last == UInt8(ascii: ","),
            ["GMT", "UTC", "+0000", "-0000"].contains(String(decoding: words[5], as: UTF8.self)),
            let day = Self.number(words[1][...]),
            let month = Self.monthNames.firstIndex(of: String(decoding: words[2], as: UTF8.self)),
            words[3].count == 4, let year = Self.number(words[3][...])
        else { return nil }
        let clock = words[4].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard clock.count == 3, clock.allSatisfy({ $0.count == 2 }), let hour = Self.number(clock[0]),
            let minute = Self.number(clock[1]), let second = Self.number(clock[2])
        else { return nil }
        self.init(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)
    }

    /// `YYYYMMDDTHHMMSSZ`.
    public var text: String {
        let (days, rest) = secondsSinceEpoch.quotientAndRemainder(dividingBy: 86_400)
        let (year, month, day) = Self.civil(days: Int(days))
        let date = Self.digits(year, 4) + Self.digits(month, 2) + Self.digits(day, 2)
        let seconds = Int(rest)
        return date + "T" + Self.digits(seconds / 3_600, 2) + Self.digits(seconds / 60 % 60, 2)
            + Self.digits(seconds % 60, 2) + "Z"
    }

    /// `YYYYMMDD`, the date of a credential scope.
    public var date: String { String(text.prefix(8)) }

    public var description: String { text }

    public static func < (left: Self, right: Self) -> Bool { left.secondsSinceEpoch < right.secondsSinceEpoch }

    /// This moment moved by whole seconds, within the years 1970...9999.
    public func adding(seconds: Int64) -> SignatureTimestamp {
        let (sum, overflow) = secondsSinceEpoch.addingReportingOverflow(seconds)
        return SignatureTimestamp(secondsSinceEpoch: overflow ? (seconds < 0 ? 0 : .max) : sum)
    }

    private init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
        guard (1970...9999).contains(year), (1...12).contains(month), day >= 1, hour < 24, minute < 60, second < 60
        else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        // A day the month does not have comes back as another date.
        guard Self.civil(days: days) == (year, month, day) else { return nil }
        self.init(secondsSinceEpoch: Int64(days) * 86_400 + Int64(hour * 3_600 + minute * 60 + second))
    }

    private static let monthNames = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Days since the epoch of a date in the proleptic Gregorian calendar, counted in years that begin in March.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    /// One to four ASCII digits and nothing else.
    private static func number(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard (1...4).contains(bytes.count) else { return nil }
        var value = 0
        for byte in bytes {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }

    private static func digits(_ value: Int, _ width: Int) -> String {
        let plain = String(value)
        return String(repeating: "0", count: max(0, width - plain.count)) + plain
    }
}
