// SPDX-License-Identifier: Apache-2.0

import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Jobs that a process died with: tried again, then alone, then no more.
@Suite(.serialized) struct JobDeathTests {
    private static let mebi = 1 << 20

    private func uid(_ vault: TestVault, _ job: String) throws -> JobUID {
        let id = try #require(vault.keyring.identifiers.parse(job, kind: .job, account: TestVault.account))
        return JobUID(words: id.uid)
    }

    /// A process takes the job's lease and is never heard of again, `times` over.
    private func die(with job: JobUID, _ times: Int, in vault: TestVault) async throws {
        for _ in 0..<times {
            let epoch = try await vault.catalog.beginEpoch()
            let now = vault.clock.now()
            let claimed = try await vault.catalog.claimJobs(
                like: job, epoch: epoch, at: now, leaseUntil: now.advanced(by: .seconds(60)), limit: 1)
            #expect(claimed.map(\.uid) == [job])
        }
    }

    @Test func aJobThatEndsTheProcessAgainAndAgainEndsAsFailedAndTheOthersGoOn() async throws {
        try await withVault { vault in
            let stored = try await vault.upload(content(Self.mebi, seed: 1))
            let other = try await vault.upload(content(Self.mebi, seed: 2))
            let deadly = try await vault.retrieve(stored.archiveID)
            try await die(with: try uid(vault, deadly), 5, in: vault)
            let harmless = try await vault.retrieve(other.archiveID)
            try await vault.running {
                let ended = try await vault.ended(deadly)
                #expect(ended.status == .failed)
                #expect(ended.statusMessage?.contains("ended 5 times") == true, "\(ended.statusMessage ?? "")")
                let other = try await vault.ended(harmless)
                #expect(other.status == .succeeded)
            }
        }
    }

    @Test func fourDeathsAreForgiven() async throws {
        let bytes = content(Self.mebi, seed: 3)
        try await withVault { vault in
            let stored = try await vault.upload(bytes)
            let job = try await vault.retrieve(stored.archiveID)
            try await die(with: try uid(vault, job), 4, in: vault)
            try await vault.running {
                let ended = try await vault.ended(job)
                #expect(ended.status == .succeeded)
                let received = try await vault.output(job)
                #expect(received == bytes)
            }
        }
    }

    @Test func aSuspectWorksAlone() async throws {
        // Recalls take as long as the clock stands still, so that what is at work can be seen.
        try await withVault({
            $0.cold = MemoryBlobStore(recallDelay: .init(askings: 1, wait: .seconds(60)))
        }) { vault in
            var jobs: [String] = []
            for seed in 1...4 as ClosedRange<UInt64> {
                let stored = try await vault.upload(content(Self.mebi, seed: seed))
                jobs.append(try await vault.retrieve(stored.archiveID))
            }
            let suspect = try uid(vault, jobs[0])
            try await die(with: suspect, 2, in: vault)
            vault.cold.memory.freeze()
            func atWork() async throws -> [JobUID] {
                var leased: [JobUID] = []
                for job in jobs {
                    let uid = try uid(vault, job)
                    if try await vault.catalog.job(uid)?.state == .leased { leased.append(uid) }
                }
                return leased
            }
            try await vault.running {
                var wasSeenAlone = false
                try await vault.until("the suspect at work") {
                    let leased = try await atWork()
                    // With room for four, it is either not yet its turn, or it is the only one.
                    if leased.contains(suspect) {
                        #expect(leased == [suspect])
                        wasSeenAlone = leased == [suspect]
                    }
                    return wasSeenAlone
                }
                for job in jobs {
                    let ended = try await vault.ended(job, advancing: .seconds(10))
                    #expect(ended.status == .succeeded)
                }
            }
        }
    }
}

/// Jobs and a wall clock that is put right.
@Suite(.serialized) struct JobClockTests {
    @Test func whatWasOrderedWhileTheClockRanAheadDoesNotWaitUntilItGetsThereAgain() async throws {
        try await withVault { vault in
            let stored = try await vault.upload(content(1 << 20, seed: 1))
            vault.clock.jump(by: .seconds(7200))
            let job = try await vault.retrieve(stored.archiveID)
            vault.clock.jump(by: .seconds(-7200))
            try await vault.running {
                let ended = try await vault.ended(job)
                #expect(ended.status == .succeeded)
            }
        }
    }
}
