// SPDX-License-Identifier: Apache-2.0

/// A wall-clock moment in whole milliseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Hashable, Sendable, Comparable {
    public let milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

    /// `self` moved by `duration`, cut to whole milliseconds; saturates at the ends of time.
    public func advanced(by duration: Duration) -> Timestamp {
        let (seconds, attoseconds) = duration.components
        let end = duration < .zero ? Int64.min : Int64.max
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        let (delta, deltaOverflow) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        let (sum, sumOverflow) = milliseconds.addingReportingOverflow(overflow || deltaOverflow ? end : delta)
        return Timestamp(milliseconds: sumOverflow ? end : sum)
    }

    /// The time from `earlier` to `self`.
    public func since(_ earlier: Timestamp) -> Duration { .milliseconds(milliseconds) - .milliseconds(earlier.milliseconds) }

    /// `2013-03-20T17:03:43.221Z`, the form of every date in API documents but the inventory.
    public var iso8601Milliseconds: String { iso8601(fraction: true) }

    /// `2013-03-20T17:03:43Z`, the form inside inventories.
    public var iso8601Seconds: String { iso8601(fraction: false) }

    private func iso8601(fraction: Bool) -> String {
        let days = milliseconds.flooredQuotient(86_400_000)
        // Wraps at the first day of time only, where the product is out of range and the difference is not.
        let inDay = milliseconds &- days &* 86_400_000
        let (year, month, day) = CivilDate.civil(fromDays: days)
        let text = "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(pad(inDay / 3_600_000, 2)):\(pad(inDay / 60_000 % 60, 2)):"
            + pad(inDay / 1000 % 60, 2)
        return fraction ? "\(text).\(pad(inDay % 1000, 3))Z" : "\(text)Z"
    }

    private func pad(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    /// Reads `YYYY-MM-DDTHH:MM:SS[.fraction]Z` (also with a `+hh:mm` offset); nil for anything else, real calendar dates only.
    public init?(iso8601 text: String) {
        let bytes = Array(text.utf8)
        guard (20...40).contains(bytes.count) else { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            var value: Int64 = 0
            for index in range {
                guard (0x30...0x39).contains(bytes[index]) else { return nil }
                value = value * 10 + Int64(bytes[index] - 0x30)
            }
            return value
        }
        guard bytes[4] == 0x2D, bytes[7] == 0x2D, bytes[10] == 0x54 || bytes[10] == 0x74, bytes[13] == 0x3A, bytes[16] == 0x3A,
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            (1...12).contains(month), (1...CivilDate.daysIn(month: month, year: year)).contains(day),
            hour < 24, minute < 60, second < 60
        else { return nil }
        var cursor = 19
        var fraction: Int64 = 0
        if bytes[cursor] == 0x2E {
            cursor += 1
            var digits = 0
            while cursor < bytes.count, (0x30...0x39).contains(bytes[cursor]) {
                if digits < 3 { fraction = fraction * 10 + Int64(bytes[cursor] - 0x30) }
                digits += 1
                cursor += 1
            }
            guard digits > 0, digits <= 9 else { return nil }
            for _ in 0..<max(0, 3 - digits) { fraction *= 10 }
        }
        guard cursor < bytes.count else { return nil }
        var offsetMinutes: Int64 = 0
        if bytes[cursor] == 0x5A || bytes[cursor] == 0x7A {
            guard cursor + 1 == bytes.count else { return nil }
        } else {
            guard bytes[cursor] == 0x2B || bytes[cursor] == 0x2D, cursor + 6 == bytes.count, bytes[cursor + 3] == 0x3A,
                let hours = number(cursor + 1..<cursor + 3), let minutes = number(cursor + 4..<cursor + 6), hours < 24, minutes < 60
            else { return nil }
            offsetMinutes = (hours * 60 + minutes) * (bytes[cursor] == 0x2D ? -1 : 1)
        }
        let days = CivilDate.days(fromCivil: year, month, day)
        milliseconds = ((days * 24 + hour) * 60 + minute - offsetMinutes) * 60_000 + second * 1000 + fraction
    }
}

/// Proleptic Gregorian calendar arithmetic.
enum CivilDate {
    static func daysIn(month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01, counted in 400-year eras that begin on 1 March so that leap days fall at the end.
    static func days(fromCivil year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted.flooredQuotient(400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = shifted.flooredQuotient(146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}

extension Int64 {
    fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}

/// Where the time comes from: the system clock in production, a virtual one under test.
public protocol TimeSource: Sendable {
    /// The wall clock, for dates that people and other machines see.
    func now() -> Timestamp
    /// Time that passes whatever anybody does to the wall clock, also while the machine sleeps. Only differences mean something.
    func monotonic() -> Duration
    /// Names the run of the machine that ``monotonic()`` counts in, without spaces: as long as it is the same, readings of different
    /// processes can be compared. Nil where that is not known.
    var run: String? { get }
    /// Suspends for `duration`; throws `CancellationError` when the task is cancelled.
    func sleep(for duration: Duration) async throws
}

extension TimeSource {
    public var run: String? { nil }
}
