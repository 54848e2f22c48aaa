// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Storage
import StorageLaws
import Synchronization
import Testing
import VaultModel

@testable import VaultEngine

/// Retrievals that cannot go well, and what of it others notice.
@Suite(.serialized) struct JobFailureTests {
    private static let mebi = 1 << 20

    @Test(arguments: ["part-", "manifest-"], [false, true])
    func rottenBytesAreNeverServedAndHarmNobodyElse(kind: String, missing: Bool) async throws {
        let (bad, good) = (content(2 * Self.mebi, seed: 1), content(2 * Self.mebi, seed: 2))
        try await withVault { vault in
            let rotten = try await vault.upload(bad)
            if missing {
                for name in vault.cold.names(containing: kind) { vault.cold.memory.overwrite(BlobID(name)!, with: nil) }
            } else {
                vault.cold.rot(containing: kind)
            }
            let sound = try await vault.upload(good)
            try await vault.running {
                let job = try await vault.retrieve(rotten.archiveID)
                let other = try await vault.retrieve(sound.archiveID)
                let failed = try await vault.ended(job)
                #expect(failed.status == .failed)
                #expect(failed.statusMessage?.contains("did not pass its integrity check") == true)
                await expectRefusal(.invalidParameter, "not currently available") { _ = try await vault.output(job) }
                #expect(try await vault.ended(other).status == .succeeded)
                let received = try await vault.output(other)
                #expect(received == good)
            }
            #expect(try await vault.engine.describeVault(vault.location).archiveCount == 2, "rot deletes nothing")
        }
    }

    @Test func oneRottenFrameFailsTheRangesThatNeedItOnly() async throws {
        let bytes = content(4 * Self.mebi, seed: 3)
        try await withVault { vault in
            try await vault.engine.setVaultCompression(vault.location, "none")
            let stored = try await vault.upload(bytes)
            let id = try #require(vault.cold.names(containing: "part-").first.flatMap { BlobID($0) })
            var blob = try #require(vault.cold.memory.blobs[id])
            blob[Self.mebi + Self.mebi / 2] ^= 1
            vault.cold.memory.overwrite(id, with: blob)
            func job(_ frame: Int) async throws -> String {
                try await vault.retrieve(
                    stored.archiveID,
                    range: ByteRange(first: UInt64(frame * Self.mebi), last: UInt64((frame + 1) * Self.mebi - 1)))
            }
            let jobs = [
                try await job(0), try await job(1), try await job(2), try await vault.retrieve(stored.archiveID),
            ]
            try await vault.running {
                var endings: [JobDescription.Status] = []
                for job in jobs { endings.append(try await vault.ended(job).status) }
                #expect(endings == [.succeeded, .failed, .succeeded, .failed])
                #expect(try await vault.output(jobs[2]) == Array(bytes[2 * Self.mebi..<3 * Self.mebi]))
            }
        }
    }

    @Test(arguments: [EngineConfiguration.OutputMode.inPlace, .staged])
    func rotThatComesAfterCompletionIsCaughtWhileSending(mode: EngineConfiguration.OutputMode) async throws {
        let bytes = content(4 * Self.mebi, seed: 4)
        try await withVault({ $0.configuration.outputMode = mode }) { vault in
            let stored = try await vault.upload(bytes)
            try await vault.running {
                let job = try await vault.retrieve(stored.archiveID)
                _ = try await vault.ended(job)
                let store = mode == .inPlace ? vault.cold : vault.warm
                let name = mode == .inPlace ? "part-" : "staged/"
                let id = try #require(store.names(containing: name).first.flatMap { BlobID($0) })
                var blob = try #require(store.memory.blobs[id])
                blob[blob.count * 7 / 8] ^= 1
                store.memory.overwrite(id, with: blob)
                let received = Mutex<[UInt8]>([])
                await expectRefusal(.integrity) {
                    try await vault.engine.openOutput(vault.location, jobID: job, range: .whole).stream { buffer in
                        received.withLock { $0 += buffer.readableBytesView }
                    }
                }
                let got = received.withLock { $0 }
                #expect(got.count < bytes.count && got == Array(bytes.prefix(got.count)), "what was sent was right")
            }
        }
    }

    @Test func readsThatFailForAWhileAreTriedAgain() async throws {
        let bytes = content(3 * Self.mebi, seed: 5)
        try await withVault { vault in
            let stored = try await vault.upload(bytes)
            vault.cold.memory.fail(.read, with: [.transient, .transient])
            try await vault.running {
                let job = try await vault.retrieve(stored.archiveID)
                #expect(try await vault.ended(job, advancing: .milliseconds(100)).status == .succeeded)
                let received = try await vault.output(job)
                #expect(received == bytes)
            }
        }
    }

    @Test func readsThatAlwaysFailEndTheJobAfterItsAttempts() async throws {
        try await withVault({ $0.configuration.maxJobAttempts = 3 }) { vault in
            let stored = try await vault.upload([1])
            vault.cold.memory.fail(.read, with: [StorageError.Code](repeating: .transient, count: 50))
            try await vault.running {
                let job = try await vault.retrieve(stored.archiveID)
                let ended = try await vault.ended(job, advancing: .milliseconds(100))
                #expect(ended.status == .failed)
                #expect(ended.statusMessage?.contains("failed 3 times") == true)
                #expect(vault.cold.reads(containing: "") == 3)
            }
        }
    }

    @Test(arguments: [EngineConfiguration.OutputMode.inPlace, .staged])
    func anArchiveDeletedBeforeItsRetrievalIsCompleteFailsTheJob(mode: EngineConfiguration.OutputMode) async throws {
        try await withVault({
            $0.cold = MemoryBlobStore(recallDelay: .init(askings: 5, wait: .seconds(1)))
            $0.configuration.outputMode = mode
        }) { vault in
            let stored = try await vault.upload(content(Self.mebi, seed: 6))
            let queued = try await vault.retrieve(stored.archiveID)
            try await vault.running {
                try await vault.until("the recall") { vault.cold.recalls > 0 }
                try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
                let ended = try await vault.ended(queued, advancing: .milliseconds(200))
                #expect(ended.status == .failed)
                #expect(ended.statusMessage == JobLifeCycle.archiveDeleted)
                await expectRefusal(.notFound) { _ = try await vault.retrieve(stored.archiveID) }
                // What was staged in vain does not stay behind.
                try await vault.until("an empty warm store", advancing: .seconds(10)) { vault.warm.names.isEmpty }
            }
        }
    }

    @Test func anArchivePurgedUnderARetrievalIsCalledDeletedNotDamaged() async throws {
        try await withVault({
            $0.cold = MemoryBlobStore(recallDelay: .init(askings: 40, wait: .seconds(10)))
            $0.configuration.deletionGrace = .zero
        }) { vault in
            let stored = try await vault.upload(content(Self.mebi, seed: 7))
            try await vault.running {
                let job = try await vault.retrieve(stored.archiveID)
                try await vault.until("the recall") { vault.cold.recalls > 0 }
                try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
                try await vault.until("the purge", advancing: .seconds(1)) {
                    vault.cold.names(containing: "part-").isEmpty
                }
                let ended = try await vault.ended(job, advancing: .seconds(1))
                #expect(ended.status == .failed)
                #expect(ended.statusMessage == JobLifeCycle.archiveDeleted)
            }
        }
    }

    @Test func deletionAfterCompletionLeavesTheOutput() async throws {
        for mode in [EngineConfiguration.OutputMode.inPlace, .staged] {
            let bytes = content(Self.mebi + 1, seed: 8)
            try await withVault({
                $0.configuration.outputMode = mode
                $0.configuration.deletionGrace = .zero
            }) { vault in
                let stored = try await vault.upload(bytes)
                try await vault.running {
                    let job = try await vault.retrieve(stored.archiveID)
                    _ = try await vault.ended(job)
                    try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
                    let start = vault.clock.now()
                    try await vault.until("ten minutes", advancing: .seconds(10)) {
                        vault.clock.now().since(start) > .seconds(600)
                    }
                    let received = try await vault.output(job)
                    #expect(received == bytes, "\(mode)")
                }
            }
        }
    }

    @Test func aFullWarmStoreDelaysAJobAndLosesNone() async throws {
        let bytes = content(2 * Self.mebi, seed: 9)
        try await withVault({
            $0.configuration.outputMode = .staged
            $0.configuration.outputRetention = .seconds(100)
            $0.warm = MemoryBlobStore(capacityBytes: 3 << 20)
        }) { vault in
            let ids = [try await vault.upload(bytes), try await vault.upload(bytes), try await vault.upload(bytes)].map(
                \.archiveID)
            try await vault.running {
                var jobs: [String] = []
                for id in ids { jobs.append(try await vault.retrieve(id)) }
                // Each finds room when the one before it has expired.
                var done: Set<String> = []
                try await vault.until("all to have had their turn", advancing: .seconds(1)) {
                    for job in jobs where !done.contains(job) {
                        guard try await vault.status(job) == .succeeded else { continue }
                        let received = try await vault.output(job)
                        #expect(received == bytes)
                        done.insert(job)
                    }
                    return done.count == 3
                }
            }
        }
    }

    @Test func foreignAndForgedJobsAreNotFound() async throws {
        try await withVault { vault in
            let other = TestVault.location("w")
            try await vault.engine.createVault(other)
            let stored = try await vault.upload([1])
            let job = try await vault.retrieve(stored.archiveID)
            for (location, id) in [
                (other, job), (vault.location, "B" + job.dropFirst()), (vault.location, stored.archiveID),
                (vault.location, ""),
            ] {
                await expectRefusal(.notFound, "The job ID was not found") {
                    _ = try await vault.engine.describeJob(location, jobID: id)
                }
            }
        }
    }
}
