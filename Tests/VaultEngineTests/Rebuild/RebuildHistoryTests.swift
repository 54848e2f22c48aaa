// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Foundation
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Random histories of two accounts with restarts, maintenance and rotations: after any of them the rebuilt catalog equals the catalog.
///
///     COLDVAULT_REBUILD_SEEDS=200 swift test --filter RebuildHistoryTests
@Suite(.serialized) struct RebuildHistoryTests {
    private static let seeds: [UInt64] = {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["COLDVAULT_SEED"].flatMap({ UInt64($0) }) { return [seed] }
        return Seeds.first(environment["COLDVAULT_REBUILD_SEEDS"].flatMap { Int($0) } ?? 3)
    }()

    @Test(arguments: seeds) func theRebuiltCatalogEqualsTheCatalog(seed: UInt64) async throws {
        try await withVault({
            $0.seed = seed
            $0.configuration.deletionGrace = .seconds(120)
            $0.configuration.uploadExpiry = .seconds(3600)
        }) { vault in
            var history = RebuildHistory(vault, seed: seed)
            try await history.begin()
            for life in 0..<3 {
                try await history.live(steps: 40)
                try await vault.expectRebuildEquals("seed \(seed), life \(life)")
            }
            #expect(history.verbs.count >= 12, "seed \(seed): \(history.verbs)")
        }
    }

    /// With failing stores: what was acknowledged is in the rebuilt catalog, and what it holds besides was at least asked for.
    @Test(arguments: seeds) func whatWasAcknowledgedAlwaysAppears(seed: UInt64) async throws {
        try await withVault({
            $0.seed = seed
            $0.configuration.deletionGrace = .seconds(120)
        }) { vault in
            var history = RebuildHistory(vault, seed: seed, failing: true)
            try await history.begin()
            for life in 0..<3 {
                try await history.live(steps: 40)
                await history.calm()
                try await vault.rebuilt { rebuilt in
                    #expect(rebuilt.report.isClean, "seed \(seed), life \(life): \(rebuilt.findings)")
                    try await history.expectAcknowledged(in: rebuilt, "seed \(seed), life \(life)")
                }
            }
            #expect(history.failures > 0, "seed \(seed): no failure was met")
        }
    }
}
