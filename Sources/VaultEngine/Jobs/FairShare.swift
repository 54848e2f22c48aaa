// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

/// Whose turn it is, pure. Accounts are served in rounds, each at most once in a round:
///  1. the account with the fewest jobs running;
///  2. then the one whose next round comes first;
///  3. then, among those of one round, the job of the earliest deadline: so the tiers count.
/// An account that queues ten thousand jobs, of whatever tier, delays nobody else's first by more than the jobs
/// that run already and one job of each account in the round. Within an account its jobs go by deadline (the
/// catalog offers that one).
struct FairShare {
    /// Accounts remembered at once. Forgetting one only makes it look unserved in this round.
    static let maxRemembered = 10_000

    private var running: [AccountID: Int] = [:]
    /// The round in which an account may be served again. Who is not in here may be served in the current one: so
    /// nobody saves up turns.
    private var nextRound: [AccountID: UInt64] = [:]
    private var round: UInt64 = 0

    var rememberedAccounts: Int { nextRound.count }

    /// `candidates`: for every account its job of the earliest deadline.
    func next(of candidates: some Sequence<JobRow>) -> JobRow? { candidates.min { key($0) < key($1) } }

    mutating func started(_ account: AccountID) {
        round = turn(of: account)
        if nextRound.count >= Self.maxRemembered, nextRound[account] == nil {
            nextRound = nextRound.filter { $0.value > round }
            if nextRound.count >= Self.maxRemembered { nextRound.removeAll() }
        }
        nextRound[account] = round + 1
        running[account, default: 0] += 1
    }

    mutating func finished(_ account: AccountID) {
        guard let count = running[account] else { return }
        running[account] = count > 1 ? count - 1 : nil
    }

    private func turn(of account: AccountID) -> UInt64 { max(round, nextRound[account] ?? 0) }

    private func key(_ job: JobRow) -> (Int, UInt64, Timestamp, JobUID) {
        (running[job.account] ?? 0, turn(of: job.account), job.deadline, job.uid)
    }
}
