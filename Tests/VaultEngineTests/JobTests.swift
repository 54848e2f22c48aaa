// SPDX-License-Identifier: Apache-2.0

import Cryptography
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Archive retrievals that go well, in place and staged.
@Suite(.serialized) struct JobTests {
    private static let mebi = 1 << 20

    private func range(_ first: Int, _ end: Int) throws -> ByteRange {
        try #require(ByteRange(first: UInt64(first), last: UInt64(end - 1)))
    }

    @Test(arguments: [EngineConfiguration.OutputMode.inPlace, .staged], [false, true])
    func everyAlignedRangeComesBackExactlyWithItsHash(mode: EngineConfiguration.OutputMode, inParts: Bool) async throws
    {
        let size = 5 * Self.mebi + 777
        let bytes = content(size, seed: 1)
        try await withVault({ $0.configuration.outputMode = mode }) { vault in
            let stored =
                inParts ? try await vault.multipart(bytes, partBytes: 2 * Self.mebi) : try await vault.upload(bytes)
            try await vault.running {
                for first in 0..<6 {
                    for end in (first + 1)...6 {
                        let wanted = try range(first * Self.mebi, min(end * Self.mebi, size))
                        let slice = Array(bytes[first * Self.mebi..<min(end * Self.mebi, size)])
                        let job = try await vault.retrieve(stored.archiveID, range: wanted)
                        let description = try await vault.ended(job)
                        #expect(description.status == .succeeded)
                        #expect(description.statusMessage == "Succeeded")
                        let facts = try #require(description.archive)
                        #expect(facts.range == wanted)
                        #expect(facts.archiveTreeHash == naiveTreeHash(bytes))
                        let isAligned = wanted.isTreeHashAligned(size: UInt64(size))
                        #expect(facts.rangeTreeHash == (isAligned ? naiveTreeHash(slice) : nil), "\(wanted)")
                        let output = try await vault.engine.openOutput(vault.location, jobID: job, range: .whole)
                        #expect(output.treeHash == (isAligned ? naiveTreeHash(slice) : nil), "\(wanted)")
                        #expect(
                            !output.isPartial && output.byteCount == wanted.count
                                && output.contentType == "application/octet-stream")
                        let received = try await TestVault.bytes(of: output)
                        #expect(received == slice, "\(wanted)")
                    }
                }
            }
            #expect(vault.warm.names.isEmpty == (mode == .inPlace))
        }
    }

    @Test(arguments: [EngineConfiguration.OutputMode.inPlace, .staged])
    func anyRangeOfAnOutputIsServedAndOnlyAlignedOnesHaveAHash(mode: EngineConfiguration.OutputMode) async throws {
        let size = 6 * Self.mebi + 10
        let bytes = content(size, seed: 2)
        try await withVault({ $0.configuration.outputMode = mode }) { vault in
            let stored = try await vault.multipart(bytes, partBytes: 2 * Self.mebi, description: "my archive")
            try await vault.running {
                // An aligned retrieval, then one that is not: bytes 2...6 MiB have no node of their own.
                for (first, end, aligned) in [
                    (0, size, true), (4 * Self.mebi, size, true), (2 * Self.mebi, 6 * Self.mebi, false),
                ] {
                    let job = try await vault.retrieve(stored.archiveID, range: try range(first, end))
                    _ = try await vault.ended(job)
                    let whole = Array(bytes[first..<end])
                    var wanted = [
                        (0, 1), (0, Self.mebi), (Self.mebi, 2 * Self.mebi), (1, whole.count),
                        (whole.count - 1, whole.count),
                    ]
                    wanted += [
                        (Self.mebi - 1, Self.mebi + 1), (2 * Self.mebi - 3, 2 * Self.mebi + 3), (0, 2 * Self.mebi),
                    ]
                    var choices = SeededGenerator(seed: 3)
                    wanted += (0..<10).map { _ in
                        let low = Int.random(in: 0..<whole.count, using: &choices)
                        return (low, Int.random(in: low + 1...whole.count, using: &choices))
                    }
                    for (low, high) in wanted where high <= whole.count {
                        let output = try await vault.engine.openOutput(
                            vault.location, jobID: job, range: .closed(UInt64(low), UInt64(high - 1)))
                        let part = try range(low, high)
                        let hash =
                            aligned && part.isTreeHashAligned(size: UInt64(whole.count))
                            ? naiveTreeHash(whole[low..<high]) : nil
                        #expect(output.treeHash == hash, "\(part) of \(first)..<\(end)")
                        #expect(output.isPartial && output.range == part && output.archiveDescription == "my archive")
                        let received = try await TestVault.bytes(of: output)
                        #expect(received == Array(whole[low..<high]), "\(part) of \(first)..<\(end)")
                    }
                    await expectRefusal(.invalidParameter, "Invalid Range") {
                        _ = try await vault.output(job, .from(UInt64(whole.count)))
                    }
                }
            }
        }
    }

    @Test func jobsForOneArchiveAreVerifiedOnce() async throws {
        let bytes = content(8 * Self.mebi, seed: 3)
        try await withVault { vault in
            let stored = try await vault.upload(bytes)
            var jobs: [String] = []
            for _ in 0..<10 { jobs.append(try await vault.retrieve(stored.archiveID)) }
            vault.cold.forgetReads()
            try await vault.running {
                for job in jobs {
                    let ended = try await vault.ended(job)
                    #expect(ended.status == .succeeded)
                }
            }
            // Prefix and tail, then the eight frames in pairs, each once.
            let reads = vault.cold.reads(containing: "part-")
            #expect((4...8).contains(reads), "\(reads) reads for ten jobs")
            #expect(vault.cold.reads(containing: "manifest-") == 1)
        }
    }

    @Test func aStagedOutputIsSharedAndGoesWithItsLastJob() async throws {
        let bytes = content(2 * Self.mebi, seed: 4)
        try await withVault({
            $0.configuration.outputMode = .staged
            $0.configuration.outputRetention = .seconds(1000)
        }) { vault in
            let stored = try await vault.upload(bytes)
            try await vault.running {
                let first = try await vault.retrieve(stored.archiveID)
                _ = try await vault.ended(first)
                vault.cold.forgetReads()
                vault.clock.advance(by: .seconds(500))
                let second = try await vault.retrieve(stored.archiveID)
                _ = try await vault.ended(second)
                #expect(vault.warm.names.count == 1)
                #expect(vault.cold.reads(containing: "part-") <= 3, "the range was not staged again")
                // The first has expired, the second still needs the object.
                vault.clock.advance(by: .seconds(600))
                try await vault.until("a round of the reclaimer", advancing: .seconds(10)) {
                    try await vault.engine.listJobs(vault.location, status: nil, completed: nil, marker: nil, limit: 10)
                        .jobs.count == 1
                }
                await expectRefusal(.notFound, "The job ID was not found") { _ = try await vault.output(first) }
                let received = try await vault.output(second)
                #expect(received == bytes)
                try await vault.until("the end of the object", advancing: .seconds(10)) { vault.warm.names.isEmpty }
                await expectRefusal(.notFound) { _ = try await vault.output(second) }
                try await vault.until("its name to be forgotten") { try await vault.engine.totals().doomedBlobs == 0 }
                // And it can be staged anew.
                try await vault.check(stored.archiveID, holds: bytes)
            }
        }
    }

    @Test func aColdStoreIsRecalledFirstAndItsOutputStaged() async throws {
        let bytes = content(3 * Self.mebi + 1, seed: 5)
        try await withVault({ $0.cold = MemoryBlobStore(recallDelay: .init(askings: 3, wait: .seconds(3600))) }) {
            vault in
            let stored = try await vault.multipart(bytes)
            try await vault.running {
                let start = vault.clock.now()
                let job = try await vault.retrieve(stored.archiveID)
                let description = try await vault.ended(job, advancing: .seconds(5))
                #expect(description.status == .succeeded)
                #expect(vault.clock.now().since(start) >= .seconds(60))
                vault.cold.memory.freeze()
                let received = try await vault.output(job)
                #expect(received == bytes)
            }
        }
    }

    @Test func tiersStartWhenTheirDelayHasPassed() async throws {
        try await withVault({
            $0.configuration.retrievalDelays = RetrievalDelays(
                expedited: .zero, standard: .seconds(100), bulk: .seconds(1000))
        }) { vault in
            let stored = try await vault.upload([1, 2, 3])
            try await vault.running {
                let bulk = try await vault.retrieve(stored.archiveID, tier: .bulk)
                let standard = try await vault.retrieve(stored.archiveID)
                let expedited = try await vault.retrieve(stored.archiveID, tier: .expedited)
                #expect(try await vault.ended(expedited).tier == .expedited)
                #expect(try await vault.status(standard) == .inProgress)
                await expectRefusal(.invalidParameter, "not currently available") {
                    _ = try await vault.output(standard)
                }
                let done = try await vault.ended(standard, advancing: .seconds(1))
                #expect(done.tier == .standard)
                #expect(try #require(done.completed).since(done.created) >= .seconds(100))
                #expect(try await vault.status(bulk) == .inProgress)
                let last = try await vault.ended(bulk, advancing: .seconds(10))
                #expect(try #require(last.completed).since(last.created) >= .seconds(1000))
            }
        }
    }

    @Test func aJobExpiresAtItsMinute() async throws {
        try await withVault({ $0.configuration.outputRetention = .seconds(100) }) { vault in
            let stored = try await vault.upload([1, 2, 3])
            let job = try await vault.running {
                let job = try await vault.retrieve(stored.archiveID)
                _ = try await vault.ended(job)
                return job
            }
            // The reclaimer does not run any more.
            vault.clock.advance(by: .milliseconds(99_999))
            #expect(try await vault.output(job) == [1, 2, 3])
            vault.clock.advance(by: .milliseconds(1))
            await expectRefusal(.notFound, "The job ID was not found") { _ = try await vault.output(job) }
            await expectRefusal(.notFound, "The job ID was not found") { _ = try await vault.status(job) }
        }
    }

    @Test func aJobWaitsForRoomAndThenSucceeds() async throws {
        let bytes = content(2 * Self.mebi, seed: 6)
        try await withVault({ $0.configuration.outputMode = .staged }) { vault in
            let stored = try await vault.upload(bytes)
            vault.warm.pretendRoom(1000)
            try await vault.running {
                let job = try await vault.retrieve(stored.archiveID)
                let start = vault.clock.now()
                try await vault.until("some time", advancing: .milliseconds(500)) {
                    vault.clock.now().since(start) > .seconds(60)
                }
                #expect(try await vault.status(job) == .inProgress)
                #expect(vault.cold.reads(containing: "part-") == 0, "nothing is read before there is room")
                vault.warm.pretendRoom(nil)
                #expect(try await vault.ended(job, advancing: .milliseconds(500)).status == .succeeded)
                let received = try await vault.output(job)
                #expect(received == bytes)
            }
        }
    }

    @Test func jobsAreListedByStatusAndPage() async throws {
        try await withVault { vault in
            let stored = try await vault.upload([1, 2, 3])
            var ids: [String] = []
            for number in 0..<5 {
                vault.clock.advance(by: .milliseconds(1))
                ids.append(try await vault.retrieve(stored.archiveID, description: "job \(number)"))
            }
            func list(_ status: JobDescription.Status?, _ completed: Bool?, _ marker: String? = nil, limit: Int = 10)
                async throws -> JobPage
            {
                try await vault.engine.listJobs(
                    vault.location, status: status, completed: completed, marker: marker, limit: limit)
            }
            #expect(try await list(nil, nil).jobs.map(\.jobID) == ids)
            #expect(try await list(.inProgress, nil).jobs.map(\.description) == (0..<5).map { "job \($0)" })
            #expect(try await list(nil, true).jobs.isEmpty)
            #expect(try await list(.inProgress, true).jobs.isEmpty)
            try await vault.running { for id in ids { _ = try await vault.ended(id) } }
            #expect(try await list(.succeeded, true).jobs.count == 5)
            #expect(try await list(nil, false).jobs.isEmpty)
            let first = try await list(nil, nil, limit: 3)
            #expect(first.jobs.map(\.jobID) == Array(ids.prefix(3)))
            let second = try await list(nil, nil, first.next, limit: 3)
            #expect(second.jobs.map(\.jobID) == Array(ids.suffix(2)) && second.next == nil)
            await expectRefusal(.invalidParameter, "Invalid marker") { _ = try await list(nil, nil, "x") }
        }
    }

    @Test func rangesThatAreNotOnTheGridAreRefused() async throws {
        try await withVault { vault in
            let stored = try await vault.upload(content(2 * Self.mebi + 5, seed: 7))
            for (first, end) in [
                (1, Self.mebi), (0, Self.mebi + 1), (0, 2 * Self.mebi + 6), (3 * Self.mebi, 4 * Self.mebi),
            ] {
                let wanted = try range(first, end)
                await expectRefusal(.invalidParameter, "Invalid RetrievalByteRange") {
                    _ = try await vault.retrieve(stored.archiveID, range: wanted)
                }
            }
        }
    }

    @Test func anotherProcessTakesOverAndEachJobEndsOnce() async throws {
        let bytes = content(Self.mebi, seed: 8)
        // The first engine's clock never moves: it sleeps in its recall as a process that was stopped would.
        try await withVault({ $0.cold = MemoryBlobStore(recallDelay: .init(askings: 1, wait: .seconds(10))) }) {
            vault in
            let stuckClock = ManualClock()
            let stuck = try await vault.anotherEngine(clock: stuckClock)
            let stored = try await vault.upload(bytes)
            let jobs = [try await vault.retrieve(stored.archiveID), try await vault.retrieve(stored.archiveID)]
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await stuck.run() }
                try await vault.until("the first lease") {
                    try await vault.catalog.runnableJobs(at: vault.clock.now(), limit: 10).isEmpty
                }
                try await vault.running {
                    var endings: [JobDescription] = []
                    for job in jobs { endings.append(try await vault.ended(job, advancing: .seconds(1))) }
                    #expect(endings.allSatisfy { $0.status == .succeeded })
                    // The first comes back and finishes its work: it must count for nothing.
                    for _ in 0..<50 {
                        stuckClock.advance(by: .seconds(1))
                        try await Task.sleep(for: .milliseconds(2))
                    }
                    for (job, ending) in zip(jobs, endings) {
                        #expect(try await vault.engine.describeJob(vault.location, jobID: job) == ending)
                        let received = try await vault.output(job)
                        #expect(received == bytes)
                    }
                }
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    @Test func aStoppedEngineHandsItsJobsBack() async throws {
        try await withVault({ $0.cold = MemoryBlobStore(recallDelay: .init(askings: 1000, wait: .seconds(10))) }) {
            vault in
            let stored = try await vault.upload([1])
            _ = try await vault.retrieve(stored.archiveID)
            try await vault.running {
                try await vault.until("the lease") {
                    try await vault.catalog.runnableJobs(at: vault.clock.now(), limit: 10).isEmpty
                }
            }
            // Nobody waits for the lease to run out.
            #expect(try await vault.catalog.runnableJobs(at: vault.clock.now(), limit: 10).count == 1)
        }
    }
}
