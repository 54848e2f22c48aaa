// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import NIOCore
import SQLiteCatalog
import Storage
import StorageLaws
import Synchronization
import Testing
import VaultModel

@testable import VaultEngine

/// What happens while something else is under way.
@Suite(.serialized) struct RaceTests {
    private static let mebi = 1 << 20

    /// An upload whose body waits in its middle.
    private func archiveRequest(_ bytes: [UInt8]) -> UploadArchiveRequest {
        UploadArchiveRequest(
            location: TestVault.location("v"), contentLength: UInt64(bytes.count), treeHash: naiveTreeHash(bytes),
            linearHash: SHA256Hasher.hash(bytes), description: "")
    }

    private func afterCleanUp(_ vault: TestVault) async throws {
        try await vault.running {
            try await vault.until("the clean-up", advancing: .seconds(1000)) {
                try await vault.engine.totals().doomedBlobs == 0
            }
        }
    }

    @Test(arguments: [100, 2 * mebi])
    func aVaultDeletedUnderAnUploadRefusesItAndKeepsNothing(size: Int) async throws {
        let bytes = content(size, seed: 1)
        try await withVault { vault in
            let (body, feed) = AsyncStream.makeStream(of: ByteBuffer.self)
            async let outcome = Result(catching: {
                try await vault.engine.uploadArchive(archiveRequest(bytes), body: body)
            })
            feed.yield(ByteBuffer(bytes: bytes.prefix(size / 2)))
            try await vault.until("the upload to have begun") {
                vault.engine.budget.freeBytes < vault.setup.memoryBudgetBytes
            }
            try await vault.engine.deleteVault(vault.location)
            feed.yield(ByteBuffer(bytes: bytes.suffix(size - size / 2)))
            feed.finish()
            let result = await outcome
            await expectRefusal(.notFound, "Vault not found") { _ = try result.get() }
            try await afterCleanUp(vault)
            #expect(vault.cold.names(containing: "part-").isEmpty && vault.cold.names(containing: "manifest-").isEmpty)
        }
    }

    @Test(arguments: [100, 2 * mebi])
    func anUploadAbortedUnderItsPartKeepsNothing(size: Int) async throws {
        let bytes = content(size, seed: 2)
        try await withVault { vault in
            let upload = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(2 * Self.mebi), description: "")
            let (body, feed) = AsyncStream.makeStream(of: ByteBuffer.self)
            let request = UploadPartRequest(
                location: vault.location, uploadID: upload, range: try #require(ByteRange.whole(size: UInt64(size))),
                treeHash: naiveTreeHash(bytes), linearHash: SHA256Hasher.hash(bytes))
            async let outcome = Result(catching: { try await vault.engine.uploadPart(request, body: body) })
            try await vault.until("the part to have begun") {
                vault.engine.budget.freeBytes < vault.setup.memoryBudgetBytes
            }
            try await vault.engine.abortUpload(vault.location, uploadID: upload)
            feed.yield(ByteBuffer(bytes: bytes))
            feed.finish()
            let result = await outcome
            await expectRefusal(.notFound, "The upload ID was not found") { _ = try result.get() }
            try await afterCleanUp(vault)
            #expect(vault.cold.names(containing: "part-").isEmpty)
        }
    }

    @Test(arguments: [100, 2 * mebi])
    func aClientThatGoesAwayLeavesNothing(size: Int) async throws {
        let bytes = content(size, seed: 3)
        try await withVault { vault in
            let before = vault.cold.names
            let (body, feed) = AsyncStream.makeStream(of: ByteBuffer.self)
            feed.yield(ByteBuffer(bytes: bytes.prefix(size - 1)))
            await withTaskGroup(of: Void.self) { group in
                group.addTask { _ = try? await vault.engine.uploadArchive(archiveRequest(bytes), body: body) }
                while vault.engine.budget.freeBytes == vault.setup.memoryBudgetBytes { await Task.yield() }
                group.cancelAll()
            }
            #expect(vault.cold.names == before)
            let totals = try await vault.engine.totals()
            #expect(totals.archives == 0)
        }
    }

    @Test(arguments: [EngineConfiguration.OutputMode.inPlace, .staged])
    func manyUploadsJobsAndDownloadsShareASmallBudget(mode: EngineConfiguration.OutputMode) async throws {
        let sizes = [1, 5000, Self.mebi, 2 * Self.mebi + 9]
        try await withVault({
            $0.configuration.outputMode = mode
            $0.configuration.memoryBudgetBytes = 48 << 20
        }) { vault in
            try await vault.running {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<24 {
                        let bytes = content(sizes[number % sizes.count], seed: UInt64(number))
                        group.addTask {
                            let stored =
                                number % 3 == 0 ? try await vault.multipart(bytes) : try await vault.upload(bytes)
                            let job = try await vault.retrieve(stored.archiveID)
                            let ended = try await vault.ended(job)
                            #expect(ended.status == .succeeded)
                            for _ in 0..<2 {
                                let received = try await vault.output(job)
                                #expect(received == bytes)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test func anOutputThatNobodyReadsGivesItsMemoryBack() async throws {
        try await withVault { vault in
            let stored = try await vault.upload(content(Self.mebi, seed: 4))
            try await vault.running {
                let job = try await vault.retrieve(stored.archiveID)
                _ = try await vault.ended(job)
                for _ in 0..<100 { _ = try await vault.engine.openOutput(vault.location, jobID: job, range: .whole) }
                await expectRefusal(.invalidParameter) { _ = try await vault.output(job, .from(.max)) }
                struct Gone: Error {}
                let output = try await vault.engine.openOutput(vault.location, jobID: job, range: .whole)
                await #expect(throws: Gone.self) { try await output.stream { _ in throw Gone() } }
            }
        }
    }

    @Test func aLeaseThatIsRenewedIsNotTakenTwice() async throws {
        try await withVault({
            $0.cold = MemoryBlobStore(recallDelay: .init(askings: 12, wait: .seconds(5)))
            $0.configuration.lease = .seconds(20)
        }) { vault in
            let stored = try await vault.upload(content(Self.mebi, seed: 5))
            try await vault.running {
                let start = vault.clock.now()
                let job = try await vault.retrieve(stored.archiveID)
                let ended = try await vault.ended(job, advancing: .milliseconds(250))
                #expect(ended.status == .succeeded)
                #expect(vault.clock.now().since(start) > .seconds(60), "longer than several leases")
                let id = try #require(vault.keyring.identifiers.parse(job, kind: .job, account: TestVault.account))
                #expect(try await vault.catalog.job(JobUID(words: id.uid))?.attempts == 1)
            }
        }
    }

    @Test func aModestAccountIsServedBeforeAGreedyOnesQueue() async throws {
        try await withVault({ $0.configuration.concurrentJobs = 1 }) { vault in
            let modest = VaultLocation(
                account: try #require(AccountID("222222222222")), region: TestVault.region, name: vault.location.name)
            try await vault.engine.createVault(modest)
            // One job for each of 30 archives, all with earlier deadlines than the other account's one.
            for number in 0..<30 {
                let stored = try await vault.upload([UInt8(number)])
                _ = try await vault.retrieve(stored.archiveID, tier: .expedited)
            }
            let theirs = try await vault.upload([99], to: modest)
            _ = try await vault.retrieve(theirs.archiveID, tier: .bulk, from: modest)
            let order = Mutex<[Bool]>([])
            vault.cold.onRead { (id) throws(StorageError) in
                if id.name.contains("manifest-") { order.withLock { $0.append(id.name.contains("222222222222")) } }
            }
            try await vault.running {
                try await vault.until("all to be done") { order.withLock { $0.count } == 31 }
                try await vault.until("the last to have ended") { try await vault.engine.totals().queuedJobs == 0 }
            }
            #expect(order.withLock { $0.prefix(2).contains(true) })
        }
    }

    @Test func settingsChangedAtOnceAreAllKeptInTurn() async throws {
        try await withVault { vault in
            let done = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<4 {
                    group.addTask { (try? await vault.engine.setVaultCompression(vault.location, "none")) != nil }
                    group.addTask { (try? await vault.engine.rotateVaultKey(vault.location)) != nil }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            let row = try #require(try await vault.catalog.vault(at: vault.location))
            #expect(row.compression == "none" && done >= 4)
            // No acknowledged change was overwritten by one that started before it.
            #expect(row.keys.map(\.version) == Array(1...UInt32(row.keys.count)) && row.keys.count >= 2)
            // Its newest record is the one that the catalog names; losers do not outlive it.
            try await afterCleanUp(vault)
            let records = vault.cold.names(containing: "records/vault-")
            #expect(records.count == 1 && records[0].hasSuffix("\(row.generation)"))
            await expectRefusal(.invalidParameter) { try await vault.engine.setVaultCompression(vault.location, "zip") }
        }
    }
}

extension Result where Failure == any Error {
    fileprivate init(catching body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
