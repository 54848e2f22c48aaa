// SPDX-License-Identifier: Apache-2.0

import Foundation
import PosixDisk
import Storage
import StorageLaws
import Testing

@testable import VaultEngine

/// One fixed scene in which the k-th call of the disk fails, or the k-th COMMIT, for every k and every failure; then a restart.
///
/// Twice: on real files, after which the process begins again, and on the simulated disk, whose power is cut, so that a call that failed and was
/// taken for done is found out. `COLDVAULT_DISK_ERRORS=all` tries every k, `=EIO` every k of that failure, `=EIO:307` that one alone.
@Suite(.serialized) struct DiskErrorTests {
    enum Medium: String, CaseIterable { case files = "real files", forgetful = "simulated disk, power cut" }

    /// The everyday slice tries so many places of each failure, other ones in each run of another seed.
    private static let everyday = 2

    private static func places(_ calls: Int, _ name: String) -> [Int] {
        let wish = ProcessInfo.processInfo.environment["COLDVAULT_DISK_ERRORS"]
        if wish == "all" || wish == name { return Array(0..<calls) }
        if let wish, let colon = wish.lastIndex(of: ":"), let place = Int(wish[wish.index(after: colon)...]) {
            return wish[..<colon] == name ? [place] : []
        }
        var generator = SeededGenerator(seed: Seeds.first(1)[0] &+ UInt64(calls))
        return Array((0..<calls).shuffled(using: &generator).prefix(everyday)).sorted()
    }

    @Test(arguments: Medium.allCases)
    func afterAnyFailedCallEverythingAcknowledgedIsThere(medium: Medium) async throws {
        let calm = try await Self.calmRun(on: medium)
        for failure in FailingDisk.Failure.allCases {
            let calls = calm.calls[failure] ?? 0
            var (covered, refusals) = (0, 0)
            for place in Self.places(calls, failure.rawValue) {
                let outcome = try await Self.run(on: medium, failing: (place, failure))
                covered += outcome.failedCall != nil ? 1 : 0
                refusals += outcome.refusals.count
                let what = "\(failure.rawValue), \(medium.rawValue), call \(place) of \(calls), \(outcome.failedCall.map { "\($0)" } ?? "none")"
                #expect(outcome.faults.isEmpty, "\(what): \(outcome.faults)")
            }
            print("\(failure.rawValue), \(medium.rawValue): \(covered) of \(calls) calls failed in turn, \(refusals) requests were refused")
        }
    }

    @Test func afterAnyFailedCommitEverythingAcknowledgedIsThere() async throws {
        let commits = try await Self.calmRun(on: .forgetful).commits
        for fate in [SimulatedCatalog.Fate.isLost, .isLostUnknown, .happensUnknown] {
            var covered = 0
            for place in Self.places(commits, "\(fate)") {
                let outcome = try await Self.run(on: .forgetful, commit: (place, fate))
                covered += outcome.commits > place ? 1 : 0
                #expect(outcome.faults.isEmpty, "commit \(place) of \(commits) \(fate): \(outcome.faults)")
            }
            print("commits, \(fate): \(covered) of \(commits) failed in turn")
        }
    }

    private struct Outcome: Sendable {
        /// How many could fail in each way.
        var calls: [FailingDisk.Failure: Int] = [:]
        var commits = 0
        var failedCall: DiskCall?
        var refusals: [String] = []
        var faults: [String] = []
    }

    /// The scene itself: nothing fails, so nothing is refused.
    private static func calmRun(on medium: Medium) async throws -> Outcome {
        let calm = try await run(on: medium)
        #expect(calm.faults.isEmpty && calm.refusals.isEmpty, "nothing fails, and yet: \(calm.refusals), \(calm.faults)")
        return calm
    }

    private static func run(
        on medium: Medium, failing: (place: Int, how: FailingDisk.Failure)? = nil, commit: (Int, SimulatedCatalog.Fate)? = nil
    ) async throws -> Outcome {
        try await withTemporaryDirectory(in: simulationDirectory) { directory in
            await onOwnThread {
                // The world gives time, randomness and schedule.
                let world = World(seed: 7, directory: directory)
                let scene = DiskScene(world)
                world.configuration.outputMode = medium == .files ? .staged : .inPlace
                world.configuration.scrub = .unlimited
                let inner: any Disk
                switch medium {
                case .files:
                    inner = PosixDisk(pool: Service.pool(world))
                    world.dataPath = "\(directory)/data"
                    world.backupPath = "\(directory)/backups"
                case .forgetful: inner = world.disk
                }
                let disk = FailingDisk(inner, failing: failing?.place ?? .max, with: failing?.how ?? .inputOutput)
                world.otherDisk = disk
                let counter = CommitCounter(commit)
                world.commitFate = { counter.next() }
                world.phase("scene") { await scene.play() }
                let commits = counter.count
                if disk.openFiles != 0 { scene.faults.append("\(disk.openFiles) files are open after an orderly stop") }
                world.otherDisk = inner
                world.commitFate = { .happens }
                if medium == .forgetful { world.disk.restorePower(seed: 7) }
                // The rest of the clock is the restart's: retries are due.
                world.simulator.pass(.seconds(60))
                world.phase("after the restart") { try await scene.audit() }
                world.check(world.simulator.strangers == 0, "\(world.simulator.strangers) steps came from another thread")
                let calls = FailingDisk.Failure.allCases.map { ($0, disk.calls(failing: $0)) }
                return Outcome(
                    calls: Dictionary(uniqueKeysWithValues: calls), commits: commits, failedCall: disk.failedCall, refusals: scene.refusals,
                    faults: scene.faults + world.violations + disk.abuses)
            }
        }
    }

    /// On the simulator's thread alone, hence `@unchecked Sendable`.
    private final class CommitCounter: @unchecked Sendable {
        private(set) var count = 0
        private let planned: (Int, SimulatedCatalog.Fate)?

        init(_ planned: (Int, SimulatedCatalog.Fate)?) { self.planned = planned }

        func next() -> SimulatedCatalog.Fate {
            defer { count += 1 }
            return planned?.0 == count ? planned?.1 ?? .happens : .happens
        }
    }
}
