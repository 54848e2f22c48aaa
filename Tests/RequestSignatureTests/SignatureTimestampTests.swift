// SPDX-License-Identifier: Apache-2.0

import RequestSignature
import Testing

@Suite struct SignatureTimestampTests {
    @Test(
        arguments: [
            ("19700101T000000Z", 0), ("20000229T235959Z", 951_868_799), ("20120525T002453Z", 1_337_905_493),
            ("20260301T123456Z", 1_772_368_496), ("20991231T235959Z", 4_102_444_799),
            ("99991231T235959Z", 253_402_300_799),
        ] as [(String, Int64)])
    func basicFormAndSecondsAreTheSameMoment(_ text: String, _ seconds: Int64) {
        #expect(SignatureTimestamp(basic: text)?.secondsSinceEpoch == seconds)
        #expect(SignatureTimestamp(secondsSinceEpoch: seconds).text == text)
        #expect(SignatureTimestamp(secondsSinceEpoch: seconds).date == text.prefix(8))
    }

    @Test(arguments: [
        "", "20260301", "20260301T123456", "20260301T123456z", "20260301 123456Z", "2026-03-01T12:34:56Z",
        "20260301T123456Z ", "20260001T000000Z", "20261301T000000Z", "20260100T000000Z", "20260132T000000Z",
        "20260229T000000Z", "21000229T000000Z", "20260301T240000Z", "20260301T126000Z", "20260301T123460Z",
        "19691231T235959Z", "+0260301T123456Z", "２026030T123456Z",
    ])
    func whatIsNotExactlyTheBasicFormIsRefused(_ text: String) {
        #expect(SignatureTimestamp(basic: text) == nil)
    }

    @Test(arguments: ["GMT", "UTC", "+0000", "-0000"])
    func httpDatesOfUniversalTimeAreRead(_ zone: String) {
        #expect(SignatureTimestamp(httpDate: "Sun, 06 Nov 1994 08:49:37 \(zone)")?.text == "19941106T084937Z")
    }

    @Test(arguments: [
        "", "Sun, 06 Nov 1994 08:49:37 PST", "Sun, 06 Nov 1994 08:49:37", "06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT", "Sun, 00006 Nov 1994 08:49:37 GMT",
    ])
    func otherDatesAreRefused(_ text: String) {
        #expect(SignatureTimestamp(httpDate: text) == nil)
    }

    @Test func everyDayOfFourCenturiesSurvivesTheRoundTrip() {
        for day in Int64(0)..<146_097 {
            let moment = SignatureTimestamp(secondsSinceEpoch: day * 86_400 + day % 86_400)
            #expect(SignatureTimestamp(basic: moment.text) == moment)
        }
    }

    @Test func arithmeticStaysWithinTheYearsThatHaveAText() {
        #expect(SignatureTimestamp(secondsSinceEpoch: 10).adding(seconds: -300).secondsSinceEpoch == 0)
        #expect(SignatureTimestamp.latest.adding(seconds: .max) == .latest)
        #expect(SignatureTimestamp(secondsSinceEpoch: .max) == .latest)
        #expect(SignatureTimestamp(secondsSinceEpoch: .min).text == "19700101T000000Z")
    }
}
