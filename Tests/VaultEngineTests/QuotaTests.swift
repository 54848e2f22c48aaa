// SPDX-License-Identifier: Apache-2.0

import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Data retrieval policies: what a client may start, and when what was put off starts.
@Suite(.serialized) struct QuotaTests {
    private static let mebi: UInt64 = 1 << 20
    private static let hour: Duration = .seconds(3600)
    private var account: AccountID { TestVault.account }
    private var region: Region { TestVault.region }

    // MARK: Pure

    @Test func aPolicyBecomesAQuota() {
        #expect(RetrievalQuota(.none, freeTierMonthlyBytes: 30) == nil)
        #expect(RetrievalQuota(.freeTier, freeTierMonthlyBytes: 3059) == .bytesPerDay(101))
        let quota = RetrievalQuota(.bytesPerHour(10), freeTierMonthlyBytes: 0)
        #expect(quota == .bytesPerHour(10) && quota?.maxBytes == 40)
        #expect(RetrievalQuota.bytesPerHour(UInt64(Int64.max)).maxBytes == .max)
        let now = Timestamp(milliseconds: 100_000_000)
        #expect(RetrievalQuota.bytesPerHour(10).admission(startingAt: now) == .unfinished(maxBytes: 40))
        #expect(
            RetrievalQuota.bytesPerDay(7).admission(startingAt: now)
                == .since(Timestamp(milliseconds: 100_000_000 - 86_400_000), maxBytes: 7))
    }

    @Test(
        arguments: [
            (0, 40, 10, 0), (0, 0, 10, 0), (1, 40, 10, 360), (40, 40, 10, 4 * 3600), (40, 1, 7, 6686),
            (400, 40, 10, 40 * 3600),
            (.max, 1, 1, 745 * 3600), (.max, .max, UInt64(Int64.max), 0), (0, .max, 1 << 40, 745 * 3600),
            (5, 0, 1, 3600),
            (4 << 40, 1, 1 << 40, 1), (0, 1, 0, 3600),
        ] as [(UInt64, UInt64, UInt64, Int64)])
    func whatIsTooMuchWaitsForItsShareOfTime(present: UInt64, wanted: UInt64, rate: UInt64, seconds: Int64) {
        let delay = RetrievalQuota.delay(present: present, wanted: wanted, bytesPerHour: rate)
        if seconds < 745 * 3600 {
            #expect(delay == .seconds(seconds))
        } else {
            #expect(delay >= .seconds(seconds) && delay < .seconds(seconds + 3601))
        }
    }

    // MARK: Setting

    @Test func aPolicyIsSetForAnAccountAndRegion() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(account)
            let other = try #require(Region("eu-west-1"))
            #expect(try await vault.engine.dataRetrievalPolicy(account, region) == .none)
            for policy: DataRetrievalPolicy in [.freeTier, .bytesPerHour(1), .bytesPerHour(UInt64(Int64.max)), .none] {
                try await vault.engine.setDataRetrievalPolicy(account, region, policy)
                #expect(try await vault.engine.dataRetrievalPolicy(account, region) == policy)
                #expect(try await vault.engine.dataRetrievalPolicy(account, other) == .none)
            }
            #expect(try await vault.catalog.account(account)?.settings == nil, "none is stored as nothing")
            for bytes in [0, UInt64(Int64.max) + 1] {
                await expectRefusal(.invalidParameter, "BytesPerHour") {
                    try await vault.engine.setDataRetrievalPolicy(account, region, .bytesPerHour(bytes))
                }
            }
        }
    }

    // MARK: Refusing

    private func refused(_ vault: TestVault, _ archive: String, _ tier: RetrievalTier? = nil) async {
        await expectRefusal(.policyEnforced, "InitiateJob request denied by current data retrieval policy.") {
            _ = try await vault.retrieve(archive, tier: tier)
        }
    }

    @Test func bytesPerHourBoundsWhatIsUnfinished() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(account)
            let small = try await vault.upload(content(Int(Self.mebi), seed: 1)).archiveID
            let large = try await vault.upload(content(Int(4 * Self.mebi + 1), seed: 2)).archiveID
            let running = try await vault.retrieve(large)
            // Four hours of one mebibyte: the policy does not touch what runs, and counts it.
            try await vault.engine.setDataRetrievalPolicy(account, region, .bytesPerHour(Self.mebi))
            await refused(vault, small)
            await refused(vault, large, .standard)
            for tier: RetrievalTier in [.expedited, .bulk] { _ = try await vault.retrieve(large, tier: tier) }
            _ = try await vault.engine.initiateJob(
                vault.location,
                JobRequest(action: .inventory(InventoryParameters()), tier: nil, description: nil, snsTopic: nil))
            try await vault.running { _ = try await vault.ended(running) }
            for _ in 0..<4 { _ = try await vault.retrieve(small) }
            await refused(vault, small)
            await refused(vault, large)
            // Part of an archive counts its own bytes only; another region has its own policy.
            try await vault.engine.setDataRetrievalPolicy(account, region, .bytesPerHour(Self.mebi + Self.mebi / 4))
            _ = try await vault.retrieve(large, range: ByteRange(first: 0, last: Self.mebi - 1))
            await refused(vault, small)
            try await vault.engine.setDataRetrievalPolicy(account, region, .none)
            _ = try await vault.retrieve(large)
        }
    }

    @Test func theFreeTierBoundsADay() async throws {
        try await withVault({ $0.configuration.freeTierMonthlyBytes = 30 * 2 * Self.mebi }) { vault in
            _ = try await vault.engine.createAccount(account)
            let small = try await vault.upload(content(Int(Self.mebi), seed: 1)).archiveID
            let large = try await vault.upload(content(Int(2 * Self.mebi + 1), seed: 2)).archiveID
            try await vault.engine.setDataRetrievalPolicy(account, region, .freeTier)
            await refused(vault, large)
            let job = try await vault.retrieve(small)
            vault.clock.advance(by: Self.hour)
            _ = try await vault.retrieve(small)
            // A finished retrieval counts as well.
            try await vault.running { _ = try await vault.ended(job) }
            await refused(vault, small)
            vault.clock.advance(by: Self.hour * 23)
            await refused(vault, small)
            vault.clock.advance(by: .milliseconds(1))
            _ = try await vault.retrieve(small)
            await refused(vault, small)
        }
    }

    @Test func clientsAtOnceDoNotExceedTheQuotaTogether() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(account)
            let small = try await vault.upload(content(Int(Self.mebi), seed: 1)).archiveID
            try await vault.engine.setDataRetrievalPolicy(account, region, .bytesPerHour(Self.mebi))
            let accepted = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 { group.addTask { (try? await vault.retrieve(small)) != nil } }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(accepted == 4)
        }
    }

    // MARK: Queueing

    private func row(_ vault: TestVault, _ job: String) async throws -> JobRow {
        let id = try #require(vault.keyring.identifiers.parse(job, kind: .job, account: account))
        return try #require(try await vault.catalog.job(JobUID(words: id.uid)))
    }

    @Test func overQuotaWorkIsQueuedAndSaysUntilWhen() async throws {
        try await withVault({ $0.configuration.retrievalQuotaMode = .queue }) { vault in
            _ = try await vault.engine.createAccount(account)
            let archive = try await vault.upload(content(Int(4 * Self.mebi), seed: 1)).archiveID
            let tooLarge = try await vault.upload(content(Int(4 * Self.mebi + 1), seed: 2)).archiveID
            try await vault.engine.setDataRetrievalPolicy(account, region, .bytesPerHour(Self.mebi))
            await refused(vault, tooLarge)
            let start = vault.clock.now()
            var jobs: [String] = []
            for _ in 0..<3 { jobs.append(try await vault.retrieve(archive)) }
            for (index, job) in jobs.enumerated() {
                let moment = start.advanced(by: Self.hour * (4 * index))
                let row = try await row(vault, job)
                #expect(row.notBefore == moment && row.deadline == moment.advanced(by: RetrievalTier.standard.deadline))
                let description = try await vault.engine.describeJob(vault.location, jobID: job)
                #expect(
                    description.statusMessage
                        == (index == 0
                            ? nil : "Queued until \(moment.iso8601Milliseconds) by the data retrieval policy."))
                #expect(description.created == start && description.status == .inProgress)
            }
            try await vault.running {
                let first = try await vault.ended(jobs[0])
                #expect(first.statusMessage == "Succeeded")
                vault.clock.advance(by: Self.hour * 4 - .milliseconds(1))
                #expect(try await vault.status(jobs[1]) == .inProgress)
                vault.clock.advance(by: .milliseconds(1))
                // The worker may have begun to wait for its moment only after it had come: look again, a little later.
                #expect(try await vault.ended(jobs[1], advancing: .milliseconds(1)).statusMessage == "Succeeded")
                #expect(try await vault.status(jobs[2]) == .inProgress)
                vault.clock.advance(by: Self.hour * 4)
                #expect(try await vault.ended(jobs[2], advancing: .milliseconds(1)).status == .succeeded)
            }
        }
    }

    @Test func queuedFreeTierWorkNeverStartsMoreThanADaysShare() async throws {
        try await withVault({
            $0.configuration.retrievalQuotaMode = .queue
            $0.configuration.freeTierMonthlyBytes = 30 * 3 * Self.mebi
        }) { vault in
            _ = try await vault.engine.createAccount(account)
            let archive = try await vault.upload(content(Int(3 * Self.mebi), seed: 1)).archiveID
            let tooLarge = try await vault.upload(content(Int(3 * Self.mebi + 1), seed: 2)).archiveID
            try await vault.engine.setDataRetrievalPolicy(account, region, .freeTier)
            await refused(vault, tooLarge)
            let seed: UInt64 = 0xDA1
            var choices = SeededGenerator(seed: seed)
            var starts: [(at: Timestamp, bytes: UInt64)] = []
            for _ in 0..<25 {
                let count = UInt64.random(in: 1...3, using: &choices)
                let job = try await vault.retrieve(archive, range: ByteRange(first: 0, last: count * Self.mebi - 1))
                let row = try await row(vault, job)
                #expect(row.notBefore >= row.created)
                starts.append((row.notBefore, count * Self.mebi))
                vault.clock.advance(by: .seconds(Int64.random(in: 0...12 * 3600, using: &choices)))
            }
            for (end, _) in starts {
                let since = end.advanced(by: .zero - .seconds(86_400))
                let sum = starts.filter { $0.at >= since && $0.at <= end }.reduce(0) { $0 + $1.bytes }
                #expect(
                    sum <= 3 * Self.mebi,
                    "seed \(seed): \(sum) bytes may start in the day that ends at \(end.iso8601Seconds)")
            }
            #expect(starts.contains { $0.at > vault.clock.now() }, "seed \(seed): some of it is put off for days")
        }
    }

    @Test func theQueueIsNotEndless() async throws {
        try await withVault({ $0.configuration.retrievalQuotaMode = .queue }) { vault in
            _ = try await vault.engine.createAccount(account)
            let archive = try await vault.upload(content(Int(4 * Self.mebi), seed: 1)).archiveID
            try await vault.engine.setDataRetrievalPolicy(account, region, .bytesPerHour(Self.mebi))
            for _ in 0..<187 { _ = try await vault.retrieve(archive) }
            await refused(vault, archive)
        }
    }

    @Test func queuedAtOnceTheyStartOneAfterTheOther() async throws {
        try await withVault({ $0.configuration.retrievalQuotaMode = .queue }) { vault in
            _ = try await vault.engine.createAccount(account)
            let archive = try await vault.upload(content(Int(4 * Self.mebi), seed: 1)).archiveID
            try await vault.engine.setDataRetrievalPolicy(account, region, .bytesPerHour(Self.mebi))
            let start = vault.clock.now()
            let jobs = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<6 { group.addTask { try await vault.retrieve(archive) } }
                return try await group.reduce(into: [String]()) { $0.append($1) }
            }
            var moments: [Timestamp] = []
            for job in jobs { moments.append(try await row(vault, job).notBefore) }
            #expect(moments.sorted() == (0..<6).map { start.advanced(by: Self.hour * (4 * $0)) })
        }
    }
}
