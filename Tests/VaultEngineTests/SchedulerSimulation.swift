// SPDX-License-Identifier: Apache-2.0

import Storage
import StorageLaws
import VaultModel

@testable import VaultEngine

/// The job loop without its work: virtual time, lanes, and what the catalog offers and claims. Who comes next is the
/// product's own `JobDispatch`, or a bad idea that a test wants to see fail.
struct SchedulerSimulation {
    /// One job that somebody asks for at `job.created` and that takes `length` alone.
    struct Wish {
        let job: JobRow
        let length: Int64
    }

    struct Start {
        let job: JobRow
        let at: Int64
        let lane: JobDispatch.Lane
        /// Whether it came along with another job for the same archive.
        let isShared: Bool
        var waited: Int64 { at - job.created.milliseconds }
    }

    typealias Choice = (JobDispatch, [JobRow]) -> (job: JobRow, lane: JobDispatch.Lane)?

    private(set) var starts: [Start] = []
    /// How often a job started while a more urgent one of its account waited.
    private(set) var inversions = 0
    private var dispatch: JobDispatch
    private var queues: [AccountID: Queue] = [:]
    private var rows: [JobRow] = []
    private var running: [(end: Int64, account: AccountID, lane: JobDispatch.Lane)] = []
    private var lengths: [JobUID: Int64] = [:]
    private let choose: Choice

    init(lanes: Int, choose: @escaping Choice = { $0.next(of: $1) }) {
        dispatch = JobDispatch(sharedLanes: lanes)
        self.choose = choose
    }

    /// Runs until every wish has started.
    mutating func run(_ wishes: [Wish]) {
        var coming = wishes.sorted { $0.job.created < $1.job.created }[...]
        for wish in wishes { lengths[wish.job.uid] = wish.length }
        var now: Int64 = 0
        while !coming.isEmpty || queues.contains(where: { !$0.value.isEmpty }) {
            let next = [coming.first?.job.created.milliseconds, running.map(\.end).min()].compactMap(\.self).min()
            guard let next else { return }
            now = max(now, next)
            while let wish = coming.first, wish.job.created.milliseconds <= now {
                coming.removeFirst()
                queues[wish.job.account, default: Queue()].insert(Place(of: wish.job, number: rows.count))
                rows.append(wish.job)
            }
            for ended in running where ended.end <= now { dispatch.finished(ended.account, on: ended.lane) }
            running.removeAll { $0.end <= now }
            startAll(at: now)
        }
    }

    private mutating func startAll(at now: Int64) {
        while let (job, lane) = choose(dispatch, candidates()) {
            guard var queue = queues.removeValue(forKey: job.account) else { return }
            if !job.isProvisioned, let first = queue.mostUrgent, first < Place(of: job, number: 0) { inversions += 1 }
            // As the catalog claims: the chosen job, and on a shared lane up to 63 more for its archive.
            let claimed = queue.claim(job, limit: lane == .shared ? 64 : 1)
            for place in claimed {
                starts.append(Start(job: rows[place.number], at: now, lane: lane, isShared: place.uid != job.uid))
            }
            queues[job.account] = queue
            let length = claimed.map { lengths[$0.uid] ?? 0 }.max() ?? 0
            dispatch.started(job.account, on: lane)
            running.append((now + length, job.account, lane))
        }
    }

    /// As the catalog offers: every account's most urgent provisioned job, then every account's most urgent job.
    private func candidates() -> [JobRow] {
        let first = queues.values.compactMap(\.mostUrgentProvisioned).sorted()
        let taken = Set(first.map(\.uid))
        let others = queues.values.compactMap(\.mostUrgent).filter { !taken.contains($0.uid) }.sorted()
        return (first + others).map { rows[$0.number] }
    }

    /// Where a job stands in its account's queue; the smaller is the more urgent.
    private struct Place: Comparable {
        let deadline: Timestamp
        let created: Timestamp
        let uid: JobUID
        let archive: ArchiveUID?
        let isProvisioned: Bool
        /// Of its row.
        let number: Int

        init(of job: JobRow, number: Int) {
            (deadline, created, uid) = (job.deadline, job.created, job.uid)
            (archive, isProvisioned, self.number) = (job.archive, job.isProvisioned, number)
        }

        static func == (left: Place, right: Place) -> Bool { left.uid == right.uid }
        static func < (left: Place, right: Place) -> Bool {
            (left.deadline, left.created, left.uid) < (right.deadline, right.created, right.uid)
        }
    }

    /// The waiting jobs of one account.
    private struct Queue {
        /// Most urgent last, so that taking it is cheap.
        private var places: [Place] = []
        private var provisioned: [Place] = []
        private var byArchive: [ArchiveUID: [Place]] = [:]

        var isEmpty: Bool { places.isEmpty }
        var mostUrgent: Place? { places.last }
        var mostUrgentProvisioned: Place? { provisioned.last }

        private static func index(of place: Place, in places: [Place]) -> Int {
            var (low, high) = (0, places.count)
            while low < high {
                let middle = (low + high) / 2
                if place < places[middle] { low = middle + 1 } else { high = middle }
            }
            return low
        }

        mutating func insert(_ place: Place) {
            places.insert(place, at: Self.index(of: place, in: places))
            if place.isProvisioned { provisioned.insert(place, at: Self.index(of: place, in: provisioned)) }
            if let archive = place.archive { byArchive[archive, default: []].append(place) }
        }

        /// Takes the job and the most urgent others for its archive.
        mutating func claim(_ job: JobRow, limit: Int) -> [Place] {
            guard let archive = job.archive, let all = byArchive[archive] else { return [] }
            let chosen = all.filter { $0.uid == job.uid } + all.filter { $0.uid != job.uid }.sorted()
            let claimed = Array(chosen.prefix(limit))
            for place in claimed {
                places.remove(at: Self.index(of: place, in: places))
                provisioned.removeAll { $0 == place }
            }
            byArchive[archive] = limit < all.count ? Array(chosen.dropFirst(limit)) : nil
            return claimed
        }
    }
}

/// Jobs out of a seed.
struct WishMaker {
    var choices: SeededGenerator
    private var number: UInt64 = 0
    /// Provisioned jobs by account and creation, for the units' guarantee.
    private var provisioned: [AccountID: [Int64]] = [:]

    init(seed: UInt64) { choices = SeededGenerator(seed: seed) }

    static func account(_ number: Int) throws -> AccountID {
        let digits = String(100_000_000_000 + number)
        guard let account = AccountID(digits) else { throw TestVault.DidNotHappen(what: "an account number") }
        return account
    }

    mutating func number(in range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &choices) }

    /// - Parameter archives: how many different archives the jobs are for; few make groups.
    mutating func wish(
        account: Int, at created: Int64, tier: RetrievalTier, length: Int64, archives: UInt64 = .max, units: Int = 0
    ) throws -> SchedulerSimulation.Wish {
        number += 1
        let account = try Self.account(account)
        var isProvisioned = false
        if tier == .expedited, units > 0 {
            let since = created - CapacityUnit.window.components.seconds * 1000
            let recent = provisioned[account, default: []].filter { $0 >= since }
            isProvisioned = recent.count < units * CapacityUnit.retrievalsPerWindow
            provisioned[account] = isProvisioned ? recent + [created] : recent
        }
        let moment = Timestamp(milliseconds: created)
        let archive = ArchiveUID(words: UIDWords(high: 0, low: UInt64.random(in: 0..<archives, using: &choices)))
        let job = JobRow(
            uid: JobUID(words: UIDWords(high: choices.next(), low: number)), id: "", vault: .none, account: account,
            action: .archiveRetrieval, tier: tier.rawValue, state: .queued, created: moment, notBefore: moment,
            deadline: moment.advanced(by: tier.deadline), archive: archive, archiveID: nil, archiveSize: nil,
            range: nil,
            isProvisioned: isProvisioned, sealed: SealedColumnValue(keyVersion: 1, bytes: []))
        return SchedulerSimulation.Wish(job: job, length: length)
    }
}
