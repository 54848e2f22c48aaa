// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Judges how a request body arrives. A pure value: the connection tells it what happened and when.
///
/// Only time spent waiting for the client counts: while the service itself is busy and does not ask for bytes, the
/// clock stands still. So a slow disk never turns into the client's 408.
struct BodyWatch {
    enum Verdict: Equatable {
        case fine
        /// Nothing came for too long.
        case stalled
        /// Something comes, but below the minimum rate.
        case tooSlow
    }

    private let stallNanoseconds: Int64
    private let graceNanoseconds: Int64
    private let minimumRate: UInt64
    private(set) var receivedBytes: UInt64 = 0
    private var waited: Int64 = 0
    private var waitedAtLastByte: Int64 = 0
    private var waitingSince: NIODeadline?

    init(limits: ConnectionLimits) {
        stallNanoseconds = TimeAmount(limits.bodyStallTimeout).nanoseconds
        graceNanoseconds = TimeAmount(limits.rateGrace).nanoseconds
        minimumRate = limits.minimumBodyRate
    }

    /// The service asks for bytes.
    mutating func beginsWaiting(at now: NIODeadline) {
        if waitingSince == nil { waitingSince = now }
    }

    /// The service does not ask for bytes, or has just got some.
    mutating func endsWaiting(at now: NIODeadline) {
        waited = waited(at: now)
        waitingSince = nil
    }

    mutating func received(_ count: Int, at now: NIODeadline) {
        guard count > 0 else { return }
        receivedBytes += UInt64(count)
        waitedAtLastByte = waited(at: now)
    }

    func verdict(at now: NIODeadline) -> Verdict {
        let waited = waited(at: now)
        if waited - waitedAtLastByte >= stallNanoseconds { return .stalled }
        guard minimumRate > 0, waited >= graceNanoseconds else { return .fine }
        return Double(receivedBytes) < Double(minimumRate) * (Double(waited) / 1e9) ? .tooSlow : .fine
    }

    private func waited(at now: NIODeadline) -> Int64 {
        guard let waitingSince else { return waited }
        return waited + max(0, (now - waitingSince).nanoseconds)
    }
}
