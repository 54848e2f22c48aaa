// SPDX-License-Identifier: Apache-2.0

import Foundation
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// What accounts, tiers and capacity are promised, in simulations of many jobs. `COLDVAULT_SEED` chooses other ones.
@Suite struct SchedulerSimulationTests {
    private static let second: Int64 = 1000
    private static let longest = 60 * second

    private static let seeds = Seeds.first(
        3, base: ProcessInfo.processInfo.environment["COLDVAULT_SEED"].flatMap { UInt64($0) } ?? 0x5C4E_D01E)

    /// One account queues ten thousand jobs, and another comes while they run.
    private func greedyAndModest(
        _ seed: UInt64, lanes: Int, archives: UInt64 = .max,
        choose: @escaping SchedulerSimulation.Choice = { $0.next(of: $1) }
    ) throws -> (waited: Int64, starts: [SchedulerSimulation.Start]) {
        var maker = WishMaker(seed: seed)
        var wishes: [SchedulerSimulation.Wish] = []
        for _ in 0..<10_000 {
            let tier = RetrievalTier.allCases.randomElement(using: &maker.choices) ?? .bulk
            wishes.append(
                try maker.wish(
                    account: 1, at: 0, tier: tier, length: maker.number(in: Self.second...Self.longest),
                    archives: archives))
        }
        // The latest deadline there is, when a good deal of the queue is still there.
        let modest = try maker.wish(
            account: 2, at: maker.number(in: 1...1000 * Self.second), tier: .bulk,
            length: maker.number(in: Self.second...Self.longest))
        var simulation = SchedulerSimulation(lanes: lanes, choose: choose)
        simulation.run(wishes + [modest])
        #expect(simulation.starts.count == wishes.count + 1, "every job starts once")
        let first = try #require(simulation.starts.first { $0.job.account == modest.job.account })
        return (first.waited, simulation.starts)
    }

    @Test(arguments: seeds, [1, 4])
    func tenThousandJobsOfOneAccountDelayAnothersFirstByOneJobLength(seed: UInt64, lanes: Int) throws {
        print("scheduler seed \(seed)")
        let (waited, starts) = try greedyAndModest(seed, lanes: lanes)
        #expect(waited <= Self.longest, "seed \(seed): the other account waited \(waited) ms")
        let before = starts.prefix { $0.job.account == starts.first?.job.account }.count
        #expect(before < 9_900, "seed \(seed): the queue was still long when the other account came")
    }

    @Test func servingByDeadlineAloneWouldFailThis() throws {
        let seed = try #require(Self.seeds.first)
        let byDeadline: SchedulerSimulation.Choice = { dispatch, candidates in
            guard dispatch.hasRoom(.shared) else { return nil }
            return candidates.min { $0.deadline < $1.deadline }.map { ($0, .shared) }
        }
        let waited = try greedyAndModest(seed, lanes: 4, choose: byDeadline).waited
        #expect(waited > 100 * Self.longest, "the simulation can tell a bad scheduler: \(waited) ms")
    }

    @Test(arguments: seeds) func jobsForOneArchiveShareTheirWorkAndDelayNobody(seed: UInt64) throws {
        let (waited, starts) = try greedyAndModest(seed, lanes: 4, archives: 300)
        #expect(waited <= Self.longest, "seed \(seed)")
        #expect(
            starts.count { $0.isShared } > 9_000, "seed \(seed): ten thousand jobs of 300 archives mostly come along")
    }

    @Test(arguments: seeds) func everyNewAccountIsServedWithinOneRoundOfTheOthers(seed: UInt64) throws {
        var maker = WishMaker(seed: seed)
        var wishes: [SchedulerSimulation.Wish] = []
        let (accounts, lanes) = (24, 4)
        for account in 1...accounts {
            for _ in 0..<200 {
                let tier = RetrievalTier.allCases.randomElement(using: &maker.choices) ?? .bulk
                wishes.append(
                    try maker.wish(
                        account: account, at: 0, tier: tier, length: maker.number(in: Self.second...Self.longest)))
            }
        }
        let newcomer = try maker.wish(
            account: accounts + 1, at: maker.number(in: 1...3000 * Self.second), tier: .bulk, length: Self.second)
        var simulation = SchedulerSimulation(lanes: lanes)
        simulation.run(wishes + [newcomer])
        let start = try #require(simulation.starts.first { $0.job.account == newcomer.job.account })
        #expect(start.waited <= Self.longest * Int64(accounts / lanes + 2), "seed \(seed): waited \(start.waited) ms")
        // Nobody is ahead of anybody by more than the jobs at work, as long as all have some.
        var served: [AccountID: Int] = [:]
        for start in simulation.starts.prefix(accounts * 150) where start.job.account != newcomer.job.account {
            served[start.job.account, default: 0] += 1
        }
        let spread = (served.values.max() ?? 0) - (served.values.min() ?? 0)
        #expect(served.count == accounts && spread <= lanes + 1, "seed \(seed): spread \(spread)")
    }

    @Test(arguments: seeds) func withinAnAccountTheEarliestDeadlineGoesFirst(seed: UInt64) throws {
        var maker = WishMaker(seed: seed)
        var wishes: [SchedulerSimulation.Wish] = []
        for account in 1...3 {
            for _ in 0..<500 {
                let tier = RetrievalTier.allCases.randomElement(using: &maker.choices) ?? .bulk
                wishes.append(
                    try maker.wish(
                        account: account, at: maker.number(in: 0...600 * Self.second), tier: tier,
                        length: maker.number(in: Self.second...Self.longest)))
            }
        }
        var simulation = SchedulerSimulation(lanes: 2)
        simulation.run(wishes)
        #expect(simulation.starts.count == wishes.count && simulation.inversions == 0, "seed \(seed)")
        // An Expedited job never starts after a Bulk one of its account that came no earlier.
        var started: [AccountID: [SchedulerSimulation.Start]] = [:]
        for start in simulation.starts { started[start.job.account, default: []].append(start) }
        for starts in started.values {
            for start in starts where start.job.tier == RetrievalTier.expedited.rawValue && start.waited > 0 {
                let overtaken = starts.contains {
                    $0.job.tier == RetrievalTier.bulk.rawValue && $0.at < start.at
                        && $0.at > start.job.created.milliseconds
                }
                #expect(!overtaken, "seed \(seed): Bulk went ahead of a waiting Expedited job")
            }
        }
    }

    @Test(arguments: seeds) func provisionedJobsStartAtOnceWhateverElseThereIs(seed: UInt64) throws {
        var maker = WishMaker(seed: seed)
        var wishes: [SchedulerSimulation.Wish] = []
        for account in 1...5 {
            for _ in 0..<1000 {
                wishes.append(
                    try maker.wish(
                        account: account, at: 0, tier: .expedited, length: maker.number(in: Self.second...Self.longest))
                )
            }
        }
        // Two units: far more Expedited jobs than they guarantee; those beyond queue like everybody's.
        var moment: Int64 = 0
        for _ in 0..<400 {
            moment += maker.number(in: 0...60 * Self.second)
            wishes.append(
                try maker.wish(
                    account: 9, at: moment, tier: .expedited, length: maker.number(in: Self.second...300 * Self.second),
                    units: CapacityUnit.limit))
        }
        var simulation = SchedulerSimulation(lanes: 4)
        simulation.run(wishes)
        let provisioned = simulation.starts.filter(\.job.isProvisioned)
        #expect(provisioned.count > 100 && provisioned.count < 400, "seed \(seed): \(provisioned.count)")
        #expect(provisioned.allSatisfy { $0.waited == 0 && $0.lane == .provisioned }, "seed \(seed)")
        #expect(simulation.starts.allSatisfy { $0.job.isProvisioned || $0.lane == .shared }, "seed \(seed)")
    }

    @Test(arguments: seeds) func nobodyMissesADeadlineWhileThereIsCapacity(seed: UInt64) throws {
        var maker = WishMaker(seed: seed)
        var wishes: [SchedulerSimulation.Wish] = []
        // Four lanes, jobs of 15 s in the mean: 16 a minute. Bulk and Standard come in floods of hours of work,
        // Expedited steadily.
        let length = Self.second...29 * Self.second
        for account in 1...4 {
            for tier in [RetrievalTier.standard, .bulk] {
                for _ in 0..<500 {
                    wishes.append(
                        try maker.wish(
                            account: account, at: maker.number(in: 0...60 * Self.second), tier: tier,
                            length: maker.number(in: length)))
                }
            }
        }
        for account in 1...12 {
            var moment: Int64 = 0
            while moment < 4 * 3600 * Self.second {
                moment += maker.number(in: 30 * Self.second...300 * Self.second)
                wishes.append(
                    try maker.wish(account: account, at: moment, tier: .expedited, length: maker.number(in: length)))
            }
        }
        var simulation = SchedulerSimulation(lanes: 4)
        simulation.run(wishes)
        #expect(simulation.starts.count == wishes.count)
        let late = simulation.starts.filter { Timestamp(milliseconds: $0.at) > $0.job.deadline }
        #expect(late.isEmpty, "seed \(seed): \(late.count) late, the first waited \(late.first?.waited ?? 0) ms")
    }

    @Test func whoWasIdleHasSavedUpNoTurns() {
        var share = FairShare()
        var maker = WishMaker(seed: 1)
        guard let busy = try? maker.wish(account: 1, at: 0, tier: .expedited, length: 1).job,
            let idle = try? maker.wish(account: 2, at: 0, tier: .bulk, length: 1).job
        else { return }
        for _ in 0..<1000 {
            share.started(busy.account)
            share.finished(busy.account)
        }
        var served: [AccountID] = []
        for _ in 0..<20 {
            guard let next = share.next(of: [busy, idle]) else { return }
            served.append(next.account)
            share.started(next.account)
            share.finished(next.account)
        }
        #expect(served.count { $0 == idle.account } == 10)
    }

    @Test func whatIsRememberedIsBounded() throws {
        var share = FairShare()
        var maker = WishMaker(seed: 2)
        for account in 0..<FairShare.maxRemembered * 2 + 5 { share.started(try WishMaker.account(account)) }
        #expect(share.rememberedAccounts <= FairShare.maxRemembered)
        let fresh = try maker.wish(account: 5_000_000, at: 0, tier: .bulk, length: 1).job
        #expect(share.next(of: [fresh])?.uid == fresh.uid)
    }

    @Test func failuresAreCountedByJobAndForgottenAtItsEnd() {
        let scheduler = JobScheduler(sharedLanes: 1)
        let (one, two) = (JobUID(words: UIDWords(high: 0, low: 1)), JobUID(words: UIDWords(high: 0, low: 2)))
        #expect(scheduler.failed(one) == 1)
        #expect(scheduler.failed(one) == 2)
        #expect(scheduler.failed(two) == 1)
        scheduler.forgetFailures(of: one)
        #expect(scheduler.failed(one) == 1)
    }
}
