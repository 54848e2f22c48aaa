// SPDX-License-Identifier: Apache-2.0

extension Timestamp {
    /// The same time of day one calendar month later; on that month's last day where the day does not exist in it
    /// (31 January becomes 28 or 29 February).
    public var oneCalendarMonthLater: Timestamp {
        let millisecondsPerDay: Int64 = 86_400_000
        var days = milliseconds / millisecondsPerDay
        if milliseconds % millisecondsPerDay < 0 { days -= 1 }
        let (year, month, day) = CivilDate.civil(fromDays: days)
        let (nextYear, nextMonth) = month == 12 ? (year + 1, 1) : (year, month + 1)
        let nextDay = min(day, CivilDate.daysIn(month: nextMonth, year: nextYear))
        let nextDays = CivilDate.days(fromCivil: nextYear, nextMonth, nextDay)
        return Timestamp(milliseconds: milliseconds + (nextDays - days) * millisecondsPerDay)
    }
}
