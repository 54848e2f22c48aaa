// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultModel

/// Denials on their way into the audit log (Docs/Formats/Audit-v1.md §5): bounded in memory and in what it writes, whatever comes in.
/// Pure: time comes with every event.
struct DenialFolder {
    static let maxKeys = 1024
    static let burst: Double = 256
    static let tokensPerSecond: Double = 1
    /// How long denials of one key are counted before they are written again.
    static let window: Duration = .seconds(60)

    struct Key: Hashable {
        let actor: AuditActor
        let action: String
        let resource: String
        let statement: String
    }

    private struct Tally {
        var count: UInt64 = 0
        var first: Timestamp
        var last: Timestamp
        /// When its last entry was written; nil before the first.
        var written: Timestamp?
        let account: AccountID?
    }

    private let overflowOf: String
    private var tallies: [Key: Tally] = [:]
    private var tokens = burst
    private var refilled: Timestamp?
    private var overflow: (count: UInt64, first: Timestamp, last: Timestamp)?
    private var overflowWritten: Timestamp?

    /// - Parameter overflowOf: what the entry is about that counts those without one of their own.
    init(overflowOf: String = "requests that were denied and not itemised") { self.overflowOf = overflowOf }

    var remembered: Int { tallies.count }

    mutating func add(_ key: Key, account: AccountID?, at now: Timestamp) {
        if var tally = tallies[key] {
            tally.count += 1
            if tally.count == 1 { tally.first = now }
            tally.last = now
            tallies[key] = tally
            return
        }
        refill(now)
        guard tokens >= 1, tallies.count < Self.maxKeys else {
            var counted = overflow ?? (0, now, now)
            counted.count += 1
            counted.last = now
            overflow = counted
            return
        }
        tokens -= 1
        tallies[key] = Tally(count: 1, first: now, last: now, account: account)
    }

    private mutating func refill(_ now: Timestamp) {
        let passed = refilled.map { Double(max(0, now.milliseconds - $0.milliseconds)) / 1000 } ?? 0
        tokens = min(Self.burst, tokens + passed * Self.tokensPerSecond)
        refilled = now
    }

    /// What is to be written now; keys that were quiet for a window are forgotten.
    /// - Parameter always: at a stop: everything that was counted.
    mutating func due(at now: Timestamp, always: Bool = false) -> [AuditAct] {
        var acts: [AuditAct] = []
        for (key, tally) in tallies {
            let isOver = always || tally.written.map { now.since($0) >= Self.window || now < $0 } ?? true
            guard isOver else { continue }
            guard tally.count > 0 else {
                tallies[key] = nil
                continue
            }
            var act = AuditAct(
                .denial, key.action, by: key.actor, account: tally.account, on: key.resource,
                ["since": .integer(tally.first.milliseconds)])
            act.statement = key.statement
            act.count = tally.count
            act.until = tally.last
            act.outcome = "denied"
            acts.append(act)
            tallies[key]?.count = 0
            tallies[key]?.written = now
        }
        let overflowIsDue = always || overflowWritten.map { now.since($0) >= Self.window || now < $0 } ?? true
        if let counted = overflow, overflowIsDue {
            var act = AuditAct(
                .denial, "denial:Overflow", by: .service, on: overflowOf,
                ["since": .integer(counted.first.milliseconds)])
            act.count = counted.count
            act.until = counted.last
            act.outcome = "denied"
            acts.append(act)
            overflow = nil
            overflowWritten = now
        }
        // A fixed order, so that a log can be compared with another.
        return acts.sorted { ($0.action, $0.resource, $0.until ?? now) < ($1.action, $1.resource, $1.until ?? now) }
    }

    /// Takes back what could not be written, to be counted on.
    mutating func restore(_ acts: [AuditAct], at now: Timestamp) {
        for act in acts {
            let count = act.count ?? 0
            var counted = overflow ?? (0, act.until ?? now, now)
            let key = Key(actor: act.actor, action: act.action, resource: act.resource, statement: act.statement ?? "")
            if tallies[key] != nil {
                tallies[key]?.count += count
                tallies[key]?.written = nil
            } else {
                counted.count += count
                overflow = counted
                overflowWritten = nil
            }
        }
    }
}
