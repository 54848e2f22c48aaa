// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Foundation
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Random sequences of operations and operators' acts by several principals of two accounts: no archive that a lock protects is deleted
/// before its time, and nobody reads another account's data without both grants. Every decision is compared with ``AccessOracle``.
///
/// Half of the sequences are honest about the time: then the engine must agree with the oracle both ways. In the others somebody moves the
/// clock; then the engine may be stricter, never laxer, than the true time allows.
///
/// `COLDVAULT_SEED` repeats one run, `COLDVAULT_LOCK_STEPS` makes it longer (100000 by hand) and, without a seed, new.
@Suite(.serialized) struct LockPropertyTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let stepsPerSequence = 120
    /// Of the slice that runs with every build: a change is judged by what it changed. The long run takes a new seed each time.
    private static let everydaySeed: UInt64 = 3_213_203_302

    @Test func noSequenceGetsPastALockOrIntoAnotherAccount() async throws {
        let steps = Self.environment["COLDVAULT_LOCK_STEPS"].flatMap { Int($0) } ?? 2400
        let base =
            Self.environment["COLDVAULT_SEED"].flatMap { UInt64($0) }
            ?? (Self.environment["COLDVAULT_LOCK_STEPS"] == nil ? Self.everydaySeed : UInt64.random(in: 1...UInt64(UInt32.max)))
        print("lock property test: COLDVAULT_SEED=\(base) COLDVAULT_LOCK_STEPS=\(steps)")
        var tally = LockWorld.Tally()
        var sequence: UInt64 = 0
        while tally.steps < steps, tally.failures == 0 {
            let seed = base &+ sequence
            try await withVault({ $0.seed = seed }) { vault in
                let world = try await LockWorld(vault, seed: seed, isHonest: sequence % 2 == 0)
                for _ in 0..<Self.stepsPerSequence where world.tally.failures == 0 { try await world.step() }
                try await world.audit()
                tally.add(world.tally)
                await world.close()
            }
            sequence += 1
        }
        print("lock property test: \(tally)")
        #expect(tally.failures == 0, "COLDVAULT_SEED=\(base &+ sequence &- 1) repeats it")
        // The run has seen what it is about.
        if steps >= 2400 {
            #expect(tally.protectedDeletions > 0 && tally.deletions > 0 && (tally.clockRefusals > 0 || steps < 20_000))
            #expect(tally.foreignAllowed > 0 && tally.foreignDenied > 0 && tally.lockedVaults > 0 && tally.restores > 0)
        }
    }
}
