// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import VaultModel

@Suite struct TimestampTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00.000Z", Int64(0)), ("1969-12-31T23:59:59.999Z", -1),
        ("2013-03-20T17:03:43.221Z", 1_363_799_023_221),
        ("2000-02-29T12:00:00.000Z", 951_825_600_000), ("1900-02-28T23:59:59.000Z", -2_203_891_201_000),
        ("2024-02-29T00:00:00.000Z", 1_709_164_800_000), ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("0000-01-01T00:00:00.000Z", -62_167_219_200_000),
    ])
    func knownMomentsReadAndPrint(text: String, milliseconds: Int64) {
        #expect(Timestamp(iso8601: text)?.milliseconds == milliseconds)
        #expect(Timestamp(milliseconds: milliseconds).iso8601Milliseconds == text)
    }

    @Test(arguments: [
        ("2013-03-20T17:03:43Z", "2013-03-20T17:03:43.000Z"), ("2013-03-20T17:03:43.2Z", "2013-03-20T17:03:43.200Z"),
        ("2013-03-20T17:03:43.22Z", "2013-03-20T17:03:43.220Z"),
        ("2013-03-20T17:03:43.221999999Z", "2013-03-20T17:03:43.221Z"),
        ("2013-03-20t17:03:43z", "2013-03-20T17:03:43.000Z"), ("2013-03-20T17:03:43+02:00", "2013-03-20T15:03:43.000Z"),
        ("2013-03-01T00:03:43-00:30", "2013-03-01T00:33:43.000Z"),
        ("2013-01-01T00:00:00.5+00:01", "2012-12-31T23:59:00.500Z"),
    ])
    func otherFormsOfTheDialectAreRead(text: String, canonical: String) {
        #expect(Timestamp(iso8601: text)?.iso8601Milliseconds == canonical)
    }

    @Test(arguments: [
        "", "2013-03-20", "2013-03-20T17:03:43", "2013-3-20T17:03:43Z", "2013-03-20 17:03:43Z", "2013-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2013-13-01T00:00:00Z", "2013-00-01T00:00:00Z",
        "2013-04-31T00:00:00Z",
        "2013-04-00T00:00:00Z", "2013-03-20T24:00:00Z", "2013-03-20T17:60:00Z", "2013-03-20T17:00:60Z",
        "2013-03-20T17:03:43.Z",
        "2013-03-20T17:03:43.1234567890Z", "2013-03-20T17:03:43ZZ", "2013-03-20T17:03:43+0200",
        "2013-03-20T17:03:43+24:00",
        "2013-03-20T17:03:43+02:60", "-013-03-20T17:03:43Z", "20a3-03-20T17:03:43Z", "2013-03-20T17:03:43.2+2:00",
        "2013-03-20T17:03:43.000000000000000000000Z", "２013-03-20T17:03Z",
    ])
    func anythingElseIsRefused(text: String) {
        #expect(Timestamp(iso8601: text) == nil)
    }

    @Test func everyLeapDayOfFourCenturiesIsThere() {
        for year in 1800..<2200 {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            #expect((Timestamp(iso8601: "\(year)-02-29T00:00:00Z") != nil) == isLeap, "\(year)")
        }
    }

    @Test func randomMomentsAgreeWithFoundation() throws {
        let seed: UInt64 = 0x7135
        var choices = Choices(seed: seed)
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
        for _ in 0..<2000 {
            // 1600 to 9999: Foundation's Gregorian calendar turns Julian before 1582.
            let seconds = Int64.random(in: -11_676_096_000..<253_402_300_800, using: &choices)
            let milliseconds = seconds * 1000 + Int64.random(in: 0..<1000, using: &choices)
            let parts = calendar.dateComponents(
                [.year, .month, .day, .hour, .minute, .second], from: Date(timeIntervalSince1970: Double(seconds)))
            let expected = String(
                format: "%04d-%02d-%02dT%02d:%02d:%02d", parts.year ?? 0, parts.month ?? 0, parts.day ?? 0,
                parts.hour ?? 0,
                parts.minute ?? 0, parts.second ?? 0)
            let moment = Timestamp(milliseconds: milliseconds)
            #expect(moment.iso8601Seconds == expected + "Z", "seed \(seed)")
            #expect(Timestamp(iso8601: moment.iso8601Milliseconds) == moment, "seed \(seed)")
        }
    }

    @Test func movingIsExactAndSaturates() {
        let start = Timestamp(milliseconds: 1000)
        #expect(start.advanced(by: .milliseconds(-1500)) == Timestamp(milliseconds: -500))
        #expect(start.advanced(by: .microseconds(1999)) == Timestamp(milliseconds: 1001))
        #expect(start.advanced(by: .seconds(Int64.max)).milliseconds == .max)
        #expect(Timestamp(milliseconds: -1000).advanced(by: .seconds(Int64.min)).milliseconds == .min)
        let nearlyAll = Duration(secondsComponent: Int64.max / 1000, attosecondsComponent: 999_000_000_000_000_000)
        #expect(start.advanced(by: nearlyAll).milliseconds == .max)
        #expect(Timestamp(milliseconds: .max).advanced(by: .milliseconds(1)).milliseconds == .max)
        #expect(Timestamp(milliseconds: .min).advanced(by: .milliseconds(-1)).milliseconds == .min)
        #expect(Timestamp(milliseconds: 5).since(Timestamp(milliseconds: 8)) == .milliseconds(-3))
    }

    @Test func theEndsOfTimeCanBePrintedAndCompared() {
        let (first, last) = (Timestamp(milliseconds: .min), Timestamp(milliseconds: .max))
        #expect(last.iso8601Seconds == "292278994-08-17T07:12:55Z")
        #expect(first.iso8601Milliseconds.hasSuffix("T16:47:04.192Z"))
        #expect(last.since(first) > .seconds(9_000_000_000_000_000))
        #expect(first < last)
    }
}
