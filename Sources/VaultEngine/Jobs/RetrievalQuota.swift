// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

/// What a data retrieval policy lets an account retrieve at Standard tier, pure (Docs/Operations/Identity.md).
///
/// The field's guide gives no formula for the rate of a job. Ours: its bytes spread over the four hours that are
/// the middle of the Standard window. So the rates of all unfinished jobs stay within `BytesPerHour` exactly when
/// their bytes stay within four hours of it.
enum RetrievalQuota: Equatable {
    case bytesPerHour(UInt64)
    /// Bytes that may start within any 24 hours.
    case bytesPerDay(UInt64)

    static let window: UInt64 = 4
    static let day: Duration = .seconds(24 * 3600)
    /// The allowance is counted for months of thirty days.
    static let daysPerMonth: UInt64 = 30

    /// Nil for no limit.
    init?(_ policy: DataRetrievalPolicy, freeTierMonthlyBytes: UInt64) {
        switch policy {
        case .none: return nil
        case .bytesPerHour(let bytes): self = .bytesPerHour(bytes)
        case .freeTier: self = .bytesPerDay(freeTierMonthlyBytes / Self.daysPerMonth)
        }
    }

    /// A job of more bytes fits never.
    var maxBytes: UInt64 {
        switch self {
        case .bytesPerHour(let bytes):
            let (product, overflow) = bytes.multipliedReportingOverflow(by: Self.window)
            return overflow ? .max : product
        case .bytesPerDay(let bytes): return bytes
        }
    }

    /// The bound for a job that may start at `start`.
    func admission(startingAt start: Timestamp) -> JobAdmission.Quota {
        switch self {
        case .bytesPerHour: .unfinished(maxBytes: maxBytes)
        case .bytesPerDay: .since(start.advanced(by: .zero - Self.day), maxBytes: maxBytes)
        }
    }

    /// After how long the bytes that are too many will have been retrieved at `bytesPerHour`: whole seconds, upwards.
    static func delay(present: UInt64, wanted: UInt64, bytesPerHour: UInt64) -> Duration {
        let (allowed, isUnbounded) = bytesPerHour.multipliedReportingOverflow(by: window)
        let (total, overflow) = present.addingReportingOverflow(wanted)
        guard !isUnbounded, overflow || total > allowed else { return .zero }
        let (hours, rest) = ((overflow ? UInt64.max : total) - allowed).quotientAndRemainder(
            dividingBy: max(1, bytesPerHour))
        let (seconds, remainder) = max(1, bytesPerHour).dividingFullWidth(rest.multipliedFullWidth(by: 3600))
        return .seconds(Int64(min(hours, maxHours + 1) * 3600 + seconds + (remainder > 0 ? 1 : 0)))
    }

    /// A job that would have to wait longer is refused, also where jobs are queued.
    static let maxHours: UInt64 = 31 * 24
}
