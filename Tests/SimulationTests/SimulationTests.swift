// SPDX-License-Identifier: Apache-2.0

import Foundation
import StorageLaws
import Testing

/// Troubled lives of the service, by seed.
///
/// `COLDVAULT_SIM_SEEDS` runs so many, from `COLDVAULT_SEED` on.
@Suite(.serialized) struct SimulationTests {
    static let everyday = 6

    static var seeds: [UInt64] {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["COLDVAULT_SIM_SEEDS"].flatMap { Int($0) } ?? everyday
        return Seeds.first(count, base: environment["COLDVAULT_SEED"].flatMap { UInt64($0) } ?? 1)
    }

    @Test func whateverHappensNothingAcknowledgedIsLost() async throws {
        var totals: [String: Int] = [:]
        for seed in Self.seeds {
            let world = try await simulate(seed)
            #expect(world.violations.isEmpty, "\(world.report)")
            for (what, number) in world.tally.merging(world.weather.tally, uniquingKeysWith: +) { totals[what, default: 0] += number }
            totals["steps", default: 0] += world.simulator.steps
            totals["calls of the disk", default: 0] += world.disk.operationCount
        }
        print("\(Self.seeds.count) seeds from \(Self.seeds[0]):", totals.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        #expect((totals["power cuts"] ?? 0) > 0 && (totals["archives compared"] ?? 0) > 0, "the seeds show nothing")
    }

    @Test func aSeedIsTheSameEveryTime() async throws {
        let (first, second, other) = (try await simulate(3), try await simulate(3), try await simulate(4))
        #expect(first.trace == second.trace, "the same seed took another way: \(first.firstDifference(from: second))")
        #expect(first.simulator.steps == second.simulator.steps)
        #expect(first.trace != other.trace)
    }
}

/// SQLite's files lie in memory where there is such a place: their syncs are SQLite's business.
let simulationDirectory = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : nil

/// A world of this seed, after its end.
func simulate(_ seed: UInt64, lives: Int = 5, operations: Int = 25) async throws -> World {
    try await withTemporaryDirectory(in: simulationDirectory) { directory in
        await onOwnThread {
            let world = World(seed: seed, directory: directory)
            world.run(lives: lives, operations: operations)
            return world
        }
    }
}

extension World {
    var report: String {
        violations.joined(separator: "\n") + "\nthe last events:\n" + recent.suffix(30).joined(separator: "\n")
            + "\nrepeat with COLDVAULT_SIM_SEEDS=1 COLDVAULT_SEED=\(seed) swift test --filter SimulationTests"
    }

    func firstDifference(from other: World) -> String {
        zip(recent, other.recent).first { $0 != $1 }.map { "\($0) / \($1)" } ?? "before the last events"
    }
}
