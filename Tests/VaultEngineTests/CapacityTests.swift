// SPDX-License-Identifier: Apache-2.0

import Execution
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

@Suite(.serialized) struct CapacityTests {
    private static let mebi = 1 << 20
    private var account: AccountID { TestVault.account }

    @Test(arguments: [
        ("2026-01-31T01:23:45Z", "2026-02-28T01:23:45Z"), ("2028-01-31T01:23:45Z", "2028-02-29T01:23:45Z"),
        ("2026-01-29T00:00:00Z", "2026-02-28T00:00:00Z"), ("2028-01-29T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("2026-01-28T23:59:59Z", "2026-02-28T23:59:59Z"), ("2026-08-31T12:00:00Z", "2026-09-30T12:00:00Z"),
        ("2026-02-28T12:00:00Z", "2026-03-28T12:00:00Z"), ("2028-02-29T12:00:00Z", "2028-03-29T12:00:00Z"),
        ("2026-12-31T23:59:59Z", "2027-01-31T23:59:59Z"), ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2026-06-30T06:07:08Z", "2026-07-30T06:07:08Z"), ("2099-12-31T00:00:00Z", "2100-01-31T00:00:00Z"),
        ("2100-01-31T00:00:00Z", "2100-02-28T00:00:00Z"), ("2000-01-30T00:00:00Z", "2000-02-29T00:00:00Z"),
        ("1969-12-31T23:59:59Z", "1970-01-31T23:59:59Z"), ("1969-01-31T00:00:00Z", "1969-02-28T00:00:00Z"),
    ])
    func aCalendarMonthEndsToTheSecond(start: String, end: String) throws {
        let later = try #require(Timestamp(iso8601: start)).oneCalendarMonthLater
        #expect(later.iso8601Seconds == end)
        #expect(later == Timestamp(iso8601: end))
    }

    @Test func everyMomentOfSomeYearsHasItsMonth() throws {
        // The next month's first moments never come before this month's last ones, and the day is the same or the
        // month's last.
        var moment = try #require(Timestamp(iso8601: "2023-12-30T11:22:33Z"))
        let end = try #require(Timestamp(iso8601: "2028-04-01T00:00:00Z"))
        var last = moment.oneCalendarMonthLater
        while moment < end {
            let later = moment.oneCalendarMonthLater
            let days = later.since(moment) / .seconds(86_400)
            #expect((28...31).contains(days) && later >= last && later.iso8601Seconds.hasSuffix("T11:22:33Z"))
            let (day, laterDay) = (
                moment.iso8601Seconds.dropFirst(8).prefix(2), later.iso8601Seconds.dropFirst(8).prefix(2)
            )
            #expect(day == laterDay || later.advanced(by: .seconds(86_400)).iso8601Seconds.dropFirst(8).hasPrefix("01"))
            last = later
            moment = moment.advanced(by: .seconds(86_400))
        }
    }

    @Test func twoUnitsAtATimeForEachAccountAndRegion() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(account)
            let other = try #require(Region("eu-west-1"))
            #expect(try await vault.engine.provisionedCapacity(account, TestVault.region) == [])
            let start = Timestamp(milliseconds: vault.clock.now().milliseconds / 1000 * 1000)
            let first = try await vault.engine.purchaseProvisionedCapacity(account, TestVault.region)
            vault.clock.advance(by: .seconds(3600))
            let second = try await vault.engine.purchaseProvisionedCapacity(account, TestVault.region)
            #expect(first != second && first.utf8.count == 24 && second.utf8.count == 24)
            await expectRefusal(.limitExceeded, "2 units") {
                _ = try await vault.engine.purchaseProvisionedCapacity(account, TestVault.region)
            }
            _ = try await vault.engine.purchaseProvisionedCapacity(account, other)
            let units = try await vault.engine.provisionedCapacity(account, TestVault.region)
            #expect(units.map(\.id) == [first, second])
            #expect(units.first?.start == start && units.first?.expiration == start.oneCalendarMonthLater)

            // The first ends to the second; then another may be bought, and the account forgets the old one.
            vault.clock.advance(by: start.oneCalendarMonthLater.since(vault.clock.now()) - .milliseconds(1))
            await expectRefusal(.limitExceeded) {
                _ = try await vault.engine.purchaseProvisionedCapacity(account, TestVault.region)
            }
            vault.clock.advance(by: .milliseconds(1))
            #expect(try await vault.engine.provisionedCapacity(account, TestVault.region).map(\.id) == [second])
            let third = try await vault.engine.purchaseProvisionedCapacity(account, TestVault.region)
            #expect(
                try await vault.engine.accountSettings(account).capacity[TestVault.region]?.map(\.id) == [
                    second, third,
                ])
            let nobody = try #require(AccountID("999999999999"))
            await expectRefusal(.notFound, "no account") {
                _ = try await vault.engine.purchaseProvisionedCapacity(nobody, TestVault.region)
            }
        }
    }

    @Test func threeExpeditedJobsInFiveMinutesArePromisedByAUnit() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(account)
            let stored = try await vault.upload(content(100, seed: 1))
            func provisioned(_ tier: RetrievalTier) async throws -> Bool {
                let text = try await vault.retrieve(stored.archiveID, tier: tier)
                let id = try #require(vault.keyring.identifiers.parse(text, kind: .job, account: account))
                return try #require(try await vault.catalog.job(JobUID(words: id.uid))).isProvisioned
            }
            #expect(try await !provisioned(.expedited), "no unit")
            _ = try await vault.engine.purchaseProvisionedCapacity(account, TestVault.region)
            #expect(try await !provisioned(.standard))
            var promised: [Bool] = []
            for _ in 0..<4 { promised.append(try await provisioned(.expedited)) }
            #expect(promised == [true, true, true, false])
            _ = try await vault.engine.purchaseProvisionedCapacity(account, TestVault.region)
            promised = []
            for _ in 0..<4 { promised.append(try await provisioned(.expedited)) }
            #expect(promised == [true, true, true, false])
            vault.clock.advance(by: CapacityUnit.window + .milliseconds(1))
            #expect(try await provisioned(.expedited))
            vault.clock.advance(by: .seconds(32 * 86_400))
            #expect(try await !provisioned(.expedited), "the units have expired")
        }
    }

    @Test func aProvisionedJobWaitsNeitherForALaneNorForMemory() async throws {
        let bytes = content(Self.mebi, seed: 2)
        try await withVault({ $0.configuration.concurrentJobs = 2 }) { vault in
            _ = try await vault.engine.createAccount(account)
            var archives: [String] = []
            for seed: UInt64 in 3..<6 {
                archives.append(try await vault.upload(content(Self.mebi, seed: seed)).archiveID)
            }
            let wanted = try await vault.upload(bytes)
            let (budget, own) = (vault.engine.budget, vault.engine.provisionedBudget)
            // Whoever shares the memory waits now, and so do the jobs that hold both lanes.
            let held = try await budget.reserve(budget.capacityBytes)
            try await vault.running {
                var ordinary: [String] = []
                for archive in archives { ordinary.append(try await vault.retrieve(archive, tier: .expedited)) }
                try await vault.until("two jobs that wait for memory") { budget.waiterCount == 2 }
                _ = try await vault.engine.purchaseProvisionedCapacity(account, TestVault.region)
                let job = try await vault.retrieve(wanted.archiveID, tier: .expedited)
                #expect(try await vault.ended(job).status == .succeeded)
                for job in ordinary { #expect(try await vault.status(job) == .inProgress) }
                held.release()
                for job in ordinary { #expect(try await vault.ended(job).status == .succeeded) }
                let received = try await vault.output(job)
                #expect(received == bytes)
            }
            #expect(own.freeBytes == own.capacityBytes)
        }
    }
}
