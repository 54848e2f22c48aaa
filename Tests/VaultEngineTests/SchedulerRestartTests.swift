// SPDX-License-Identifier: Apache-2.0

import SQLiteCatalog
import Storage
import StorageLaws
import Synchronization
import Testing
import VaultModel

@testable import VaultEngine

/// What counts as a failed attempt at a job, and what does not.
@Suite(.serialized) struct SchedulerRestartTests {
    private static let mebi = 1 << 20

    private func attempts(_ vault: TestVault, _ job: String) async throws -> UInt32 {
        let id = try #require(vault.keyring.identifiers.parse(job, kind: .job, account: TestVault.account))
        return try #require(try await vault.catalog.job(JobUID(words: id.uid))).attempts
    }

    @Test func restartsUseUpNoAttempts() async throws {
        let bytes = content(Self.mebi, seed: 1)
        // The recall takes as long as the clock stands still.
        try await withVault({
            $0.cold = MemoryBlobStore(recallDelay: .init(askings: 1, wait: .seconds(60), only: "/archives/"))
            $0.configuration.maxJobAttempts = 2
        }) { vault in
            let stored = try await vault.upload(bytes)
            let job = try await vault.retrieve(stored.archiveID)
            for round in 1...6 as ClosedRange<UInt32> {
                vault.cold.memory.freeze()
                // Stopped in the midst of its work: by turns the same process again, and another one after a crash.
                let engine = round.isMultiple(of: 2) ? vault.engine : try await vault.anotherEngine()
                try await vault.running([engine]) {
                    try await vault.until("the job at work") { try await attempts(vault, job) == 1 }
                }
                #expect(try await vault.status(job) == .inProgress)
                #expect(try await attempts(vault, job) == 0, "handed back")
            }
            // Then it fails once, which it may.
            vault.cold.memory.fail(.recall, with: [.transient])
            try await vault.running {
                let ended = try await vault.ended(job, advancing: .seconds(1))
                #expect(ended.status == .succeeded, "\(ended.statusMessage ?? "")")
            }
        }
    }

    @Test func failuresThatMayPassAreTriedAsOftenAsConfigured() async throws {
        try await withVault({ $0.configuration.maxJobAttempts = 3 }) { vault in
            let stored = try await vault.upload(content(Self.mebi, seed: 2))
            let reads = Mutex(0)
            vault.cold.onRead { (id) throws(StorageError) in
                guard id.name.contains("part-") else { return }
                reads.withLock { $0 += 1 }
                throw StorageError(.transient, "simulated failure")
            }
            let job = try await vault.retrieve(stored.archiveID)
            try await vault.running {
                let ended = try await vault.ended(job, advancing: .milliseconds(100))
                #expect(ended.status == .failed && ended.statusMessage?.contains("failed 3 times") == true)
                let count = reads.withLock { $0 }
                #expect(count == 3)
                // The next job begins anew.
                vault.cold.onRead(nil)
                let other = try await vault.retrieve(stored.archiveID)
                #expect(try await vault.ended(other).status == .succeeded)
            }
        }
    }
}
