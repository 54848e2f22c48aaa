// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

/// Which job starts next, and on which lane, pure.
///
/// There are as many shared lanes as jobs run at once, and a few more that only provisioned jobs may use, so that
/// these never wait behind others. Should those be full, a provisioned job takes the next shared lane.
struct JobDispatch {
    enum Lane: Hashable, Sendable { case shared, provisioned }

    /// What two units of one account guarantee within five minutes.
    static let provisionedLanes = CapacityUnit.limit * CapacityUnit.retrievalsPerWindow

    let sharedLanes: Int
    private(set) var busy: [Lane: Int] = [:]
    private var sharedTurns = FairShare()
    /// Counted apart: who has bought capacity does not wait longer for the rest of its jobs.
    private var provisionedTurns = FairShare()

    init(sharedLanes: Int) { self.sharedLanes = sharedLanes }

    /// Nil when nothing may start now.
    /// - Parameter candidates: for every account its job of the earliest deadline, and its provisioned job of the
    ///   earliest one.
    func next(of candidates: [JobRow]) -> (job: JobRow, lane: Lane)? {
        let provisioned = provisionedTurns.next(of: candidates.lazy.filter(\.isProvisioned))
        if let provisioned, hasRoom(.provisioned) { return (provisioned, .provisioned) }
        guard hasRoom(.shared), let job = provisioned ?? sharedTurns.next(of: candidates) else { return nil }
        return (job, .shared)
    }

    func hasRoom(_ lane: Lane) -> Bool {
        busy[lane, default: 0] < (lane == .shared ? sharedLanes : Self.provisionedLanes)
    }

    mutating func started(_ account: AccountID, on lane: Lane) {
        busy[lane, default: 0] += 1
        switch lane {
        case .shared: sharedTurns.started(account)
        case .provisioned: provisionedTurns.started(account)
        }
    }

    mutating func finished(_ account: AccountID, on lane: Lane) {
        busy[lane, default: 0] -= 1
        switch lane {
        case .shared: sharedTurns.finished(account)
        case .provisioned: provisionedTurns.finished(account)
        }
    }
}
