// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// The form of the `Date` header, RFC 9110 section 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
enum HTTPDate {
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    static func text(_ time: Timestamp) -> String {
        // 1970-01-01, day 0, was a Thursday.
        let day = Int((time.milliseconds >= 0 ? time.milliseconds : time.milliseconds - 86_399_999) / 86_400_000)
        let weekday = weekdays[((day % 7) + 7) % 7]
        let iso = Array(time.iso8601Seconds)
        guard iso.count == 20, let month = Int(String(iso[5..<7])), (1...12).contains(month) else {
            return time.iso8601Seconds
        }
        return
            "\(weekday), \(String(iso[8..<10])) \(months[month - 1]) \(String(iso[0..<4])) \(String(iso[11..<19])) GMT"
    }
}
