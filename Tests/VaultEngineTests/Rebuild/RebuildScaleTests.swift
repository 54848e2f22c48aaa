// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Foundation
import SQLiteCatalog
import Storage
import Testing
import VaultModel

@testable import VaultEngine

/// Many archives, compared row by row; `COLDVAULT_REBUILD_ARCHIVES=100000` for the long run.
struct RebuildScaleTests {
    private static let count = ProcessInfo.processInfo.environment["COLDVAULT_REBUILD_ARCHIVES"].flatMap { Int($0) } ?? 3000
    private static let lanes = 64

    @Test func everyRowOfManyArchivesIsAsItWas() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(TestVault.account)
            let other = TestVault.location("other")
            try await vault.engine.createVault(other)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<Self.lanes {
                    group.addTask {
                        for index in stride(from: lane, to: Self.count, by: Self.lanes) {
                            let bytes = Array("archive \(index)".utf8)
                            let place = index.isMultiple(of: 5) ? other : vault.location
                            let stored = try await vault.upload(bytes, description: "number \(index)", to: place)
                            if index.isMultiple(of: 50) { try await vault.engine.deleteArchive(place, archiveID: stored.archiveID) }
                        }
                    }
                }
                try await group.waitForAll()
            }
            vault.clock.advance(by: .seconds(10))
            _ = try await vault.engine.rotateVaultKey(vault.location)
            try await vault.upload([1], description: "the last one")
            let start = ContinuousClock.now
            try await vault.rebuilt { rebuilt in
                let elapsed = (ContinuousClock.now - start) / .seconds(1)
                print("rebuild: \(rebuilt.report.archives) archives, \(rebuilt.report.blobs) blobs in \(elapsed) s")
                let deleted = (Self.count + 49) / 50
                #expect(rebuilt.report.isClean && rebuilt.report.archives == UInt64(Self.count + 1 - deleted))
                #expect(rebuilt.report.deletedArchives == UInt64(deleted))
                let differences = try await CatalogComparison(vault.engine, rebuilt.engine).differences()
                #expect(differences.isEmpty, "\(differences.prefix(20))")
            }
        }
    }
}
