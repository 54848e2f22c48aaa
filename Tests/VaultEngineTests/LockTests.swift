// SPDX-License-Identifier: Apache-2.0

import Logging
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Vault locks on a whole engine: nobody gets past one, and nothing loses one.
@Suite(.serialized) struct LockTests {
    private static let day: Duration = .seconds(24 * 3600)

    @discardableResult
    private func lock(_ vault: TestVault, days: Int = 365, complete: Bool = true) async throws -> String {
        let id = try await vault.engine.initiateVaultLock(vault.location, policy: PolicyText.retention(days: days))
        if complete { try await vault.engine.completeVaultLock(vault.location, lockID: id) }
        return id
    }

    @Test func aLockGoesThroughItsStates() async throws {
        try await withVault { vault in
            let (engine, place, policy) = (vault.engine, vault.location, PolicyText.retention(days: 365))
            await expectRefusal(.notFound, "No vault lock policy is set for: v") {
                _ = try await engine.vaultLock(place)
            }
            await expectRefusal(.notFound) { try await engine.completeVaultLock(place, lockID: "none") }
            try await engine.abortVaultLock(place)
            #expect(try await vault.catalog.vault(at: place)?.generation == 1, "aborting nothing writes nothing")

            let id = try await engine.initiateVaultLock(place, policy: policy)
            #expect(id.utf8.count == 24)
            #expect(
                try await engine.vaultLock(place)
                    == VaultLock(id: id, policy: policy, state: .inProgress, created: vault.clock.now()))
            await expectRefusal(.accessDenied) { _ = try await engine.initiateVaultLock(place, policy: policy) }
            await expectRefusal(.invalidParameter) { try await engine.completeVaultLock(place, lockID: "wrong") }
            try await engine.abortVaultLock(place)
            await expectRefusal(.notFound) { _ = try await engine.vaultLock(place) }
            await expectRefusal(.notFound) { try await engine.completeVaultLock(place, lockID: id) }

            let second = try await engine.initiateVaultLock(place, policy: policy)
            #expect(second != id)
            await expectRefusal(.invalidParameter) { try await engine.completeVaultLock(place, lockID: id) }
            for _ in 0..<3 { try await engine.completeVaultLock(place, lockID: second) }
            #expect(try await engine.vaultLock(place).state == .locked)
            #expect(try await engine.vaultLock(place).expires == nil)
            await expectRefusal(.accessDenied) { try await engine.abortVaultLock(place) }
            await expectRefusal(.accessDenied) { _ = try await engine.initiateVaultLock(place, policy: policy) }
            await expectRefusal(.accessDenied) { try await engine.completeVaultLock(place, lockID: id) }
        }
    }

    @Test func aLockInProgressIsEnforcedAndFallsAwayAfterADay() async throws {
        try await withVault { vault in
            let stored = try await vault.upload([1])
            let id = try await lock(vault, complete: false)
            await expectRefusal(.accessDenied) {
                try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            }
            vault.clock.advance(by: Self.day - .milliseconds(1))
            await expectRefusal(.accessDenied) {
                try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            }
            vault.clock.advance(by: .milliseconds(1))
            await expectRefusal(.notFound) { _ = try await vault.engine.vaultLock(vault.location) }
            await expectRefusal(.notFound) { try await vault.engine.completeVaultLock(vault.location, lockID: id) }
            // The next change drops what has fallen away.
            try await vault.engine.addTags(vault.location, ["a": "b"])
            let row = try #require(try await vault.catalog.vault(at: vault.location))
            #expect(try vault.engine.settings(of: row).settings.lock == nil)
            try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
        }
    }

    @Test func aLockedVaultKeepsItsArchivesForTheirTimeAndNotLonger() async throws {
        try await withVault { vault in
            let stored = try await vault.upload([1, 2, 3])
            try await lock(vault, days: 30)
            // Whatever the owner does about the access policy: a deny counts.
            try await vault.engine.setVaultAccessPolicy(vault.location, PolicyText.of(PolicyText.vault("Allow", "*")))
            for _ in 0..<30 {
                await expectRefusal(
                    .accessDenied,
                    "is not authorized to perform: glacier:DeleteArchive on resource: \(vault.location.arn)"
                ) {
                    try await vault.engine.deleteArchive(.root(), vault.location, archiveID: stored.archiveID)
                }
                #expect(
                    vault.cold.names(containing: "deletion-").isEmpty, "no record says deleted before the judgement")
                vault.clock.advance(by: Self.day)
            }
            try await vault.engine.deleteArchive(.root(), vault.location, archiveID: stored.archiveID)
            #expect(vault.cold.names(containing: "deletion-").count == 1)
        }
    }

    @Test func anEmptyLockedVaultMayGoAndItsNameIsFree() async throws {
        try await withVault { vault in
            let stored = try await vault.upload([1])
            try await lock(vault)
            await expectRefusal(.invalidParameter, "Vault not empty") {
                try await vault.engine.deleteVault(vault.location)
            }
            vault.clock.advance(by: Self.day * 365)
            try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            try await vault.engine.deleteVault(vault.location)
            try await vault.engine.createVault(vault.location)
            await expectRefusal(.notFound) { _ = try await vault.engine.vaultLock(vault.location) }
            let other = try await vault.upload([2])
            try await vault.engine.deleteArchive(vault.location, archiveID: other.archiveID)
        }
    }

    /// Behind the state machine: no code path of the engine can change a completed lock.
    @Test func aChangeOfACompletedLockIsABugThatChangesNothing() async throws {
        try await withVault { vault in
            try await lock(vault)
            let row = try #require(try await vault.catalog.vault(at: vault.location))
            let before = try await vault.engine.vaultLock(vault.location)
            let attempts: [(inout VaultSettings) -> Void] = [
                { $0.lock = nil }, { $0.lock?.state = .inProgress },
                { $0.lock = VaultLock(id: before.id, policy: "{}", state: .locked, created: before.created) },
                { $0.lock = VaultLock(id: "other", policy: before.policy, state: .locked, created: before.created) },
                { $0 = .none },
            ]
            for attempt in attempts {
                await expectRefusal(.internalFailure, "tried to change the lock") {
                    _ = try await vault.engine.changeVault(row) { attempt(&$1) }
                }
            }
            #expect(try await vault.catalog.vault(at: vault.location) == row)
        }
    }

    // MARK: Races

    /// A deletion that was judged before the lock came must be done before the lock is there, or not at all.
    @Test func aLockWaitsForADeletionThatWasJudgedBefore() async throws {
        try await withVault { vault in
            let catalog = AccessCountingCatalog(vault.catalog)
            let engine = vault.engine(over: catalog)
            let stored = try await vault.upload([1])
            let diary = Diary()
            try await withThrowingTaskGroup(of: Void.self) { group in
                let (reached, go) = (AsyncStream<Void>.makeStream(), AsyncStream<Void>.makeStream())
                catalog.before("deleteArchive") {
                    reached.continuation.finish()
                    for await _ in go.stream {}
                }
                group.addTask {
                    try await engine.deleteArchive(.root(), vault.location, archiveID: stored.archiveID)
                    diary.note("deleted")
                }
                for await _ in reached.stream {}
                group.addTask {
                    _ = try await engine.initiateVaultLock(vault.location, policy: PolicyText.retention(days: 1))
                    diary.note("locked")
                }
                try await vault.until("the lock to wait") { engine.gate.waiterCount == 1 }
                go.continuation.finish()
                try await group.waitForAll()
            }
            #expect(diary.all == ["deleted", "locked"])
        }
    }

    @Test func aDeletionWaitsForALockThatIsOnItsWayAndIsDenied() async throws {
        try await withVault { vault in
            let catalog = AccessCountingCatalog(vault.catalog)
            let engine = vault.engine(over: catalog)
            let stored = try await vault.upload([1])
            try await withThrowingTaskGroup(of: Void.self) { group in
                let (reached, go) = (AsyncStream<Void>.makeStream(), AsyncStream<Void>.makeStream())
                catalog.before("updateVault") {
                    reached.continuation.finish()
                    for await _ in go.stream {}
                }
                group.addTask {
                    _ = try await engine.initiateVaultLock(vault.location, policy: PolicyText.retention(days: 1))
                }
                for await _ in reached.stream {}
                group.addTask {
                    await expectRefusal(.accessDenied) {
                        try await engine.deleteArchive(.root(), vault.location, archiveID: stored.archiveID)
                    }
                }
                try await vault.until("the deletion to wait") { engine.gate.waiterCount == 1 }
                go.continuation.finish()
                try await group.waitForAll()
            }
            #expect(vault.cold.names(containing: "deletion-").isEmpty)
        }
    }

    /// Two processes share no gate: the catalog is the judge, and no durable record claims a deletion that did not happen.
    @Test func aLockFromAnotherProcessStopsADeletionAtItsCommit() async throws {
        try await withVault { vault in
            let catalog = AccessCountingCatalog(vault.catalog)
            let engine = vault.engine(over: catalog)
            let other = try await vault.anotherEngine()
            let stored = try await vault.upload([1])
            catalog.before("deleteArchive") {
                _ = try? await other.initiateVaultLock(vault.location, policy: PolicyText.retention(days: 1))
            }
            await expectRefusal(.internalFailure) {
                try await engine.deleteArchive(.root(), vault.location, archiveID: stored.archiveID)
            }
            #expect(try await vault.catalog.vault(at: vault.location)?.archiveCount == 1)
            await expectRefusal(.accessDenied) {
                try await engine.deleteArchive(.root(), vault.location, archiveID: stored.archiveID)
            }
            try await vault.running {
                try await vault.until("the record that lies to go", advancing: .seconds(10)) {
                    vault.cold.names(containing: "deletion-").isEmpty
                }
            }
        }
    }

    // MARK: The clock

    @Test func aClockThatWasSetForwardUnlocksNothing() async throws {
        try await withVault { vault in
            let stored = try await vault.upload([1])
            try await lock(vault, days: 365)
            #expect(try await vault.engine.clockStatus().isTrusted)
            vault.clock.jump(by: Self.day * 400)
            #expect(try await !vault.engine.clockStatus().isTrusted)
            // The archive is not old enough for what is believed.
            await expectRefusal(.accessDenied) {
                try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            }
            // Nor after a restart.
            let restarted = try await vault.anotherEngine()
            await expectRefusal(.accessDenied) {
                try await restarted.deleteArchive(vault.location, archiveID: stored.archiveID)
            }
            // The operator says that it is so.
            #expect(try await restarted.confirmClock().isTrusted)
            try await restarted.deleteArchive(vault.location, archiveID: stored.archiveID)
        }
    }

    @Test func whatALockWouldAllowWaitsWhileTheClockIsDoubtful() async throws {
        try await withVault { vault in
            let stored = try await vault.upload([1])
            try await lock(vault, days: 1)
            vault.clock.advance(by: Self.day)
            vault.clock.jump(by: .seconds(3601))
            await expectRefusal(.unavailable, "Ask the operator to confirm the clock") {
                try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            }
            #expect(vault.cold.names(containing: "deletion-").isEmpty)
            // Vaults without a lock go on.
            let free = TestVault.location("free")
            try await vault.engine.createVault(free)
            let other = try await vault.upload([1], to: free)
            try await vault.engine.deleteArchive(free, archiveID: other.archiveID)
            // And it passes when the clock is put right.
            vault.clock.jump(by: .seconds(-3601))
            try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
        }
    }

    @Test func aLockInProgressDoesNotFallAwayByAJump() async throws {
        try await withVault { vault in
            let stored = try await vault.upload([1])
            let id = try await lock(vault, complete: false)
            vault.clock.jump(by: Self.day * 2)
            #expect(try await vault.engine.vaultLock(vault.location).id == id)
            await expectRefusal(.accessDenied) {
                try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            }
            try await vault.engine.addTags(vault.location, ["a": "b"])
            #expect(try await vault.engine.vaultLock(vault.location).id == id, "a change does not drop it either")
        }
    }

    @Test func theHighestTimeIsDurableWhileTheServiceRuns() async throws {
        try await withVault { vault in
            let start = vault.clock.now()
            try await vault.running {
                try await vault.until("the highest time to go up", advancing: .seconds(61)) {
                    Int64(try await vault.catalog.fact(ClockRecord.highestFact) ?? "") ?? 0
                        >= start.advanced(by: .seconds(600)).milliseconds
                }
            }
            // An orderly stop wrote the last one.
            #expect(try await vault.catalog.fact(ClockRecord.highestFact) == String(vault.clock.now().milliseconds))
            let lines = LoggedLines()
            let restarted = vault.engine(over: vault.catalog, logger: lines.logger)
            vault.clock.jump(by: .seconds(7200))
            try await vault.running([restarted]) {
                try await vault.until("the warning") {
                    lines.all.contains { $0.level == .warning && $0.message.contains("clock runs ahead") }
                }
            }
            #expect(try await !restarted.clockStatus().isTrusted)
        }
    }

    @Test func aDirectoryWithoutTheFactIsConfirmedOnceAndAnUnreadableFactNever() async throws {
        try await withVault { vault in
            #expect(try await vault.anotherEngine().clockStatus().isTrusted)
            #expect(try await vault.catalog.fact(ClockRecord.highestFact) == String(vault.clock.now().milliseconds))
            try await vault.catalog.setFact(ClockRecord.countedFact, "soon")
            #expect(try await !vault.anotherEngine().clockStatus().isTrusted)
        }
    }

    /// A machine that was off for two hours: nobody knows whether the wall clock is right.
    @Test(arguments: ["aws:CurrentTime", "aws:EpochTime"])
    func aGrantThatEndsByEitherTimeIsOverWhileTheClockIsDoubtful(key: String) async throws {
        try await withVault { vault in
            let end = vault.clock.now().advanced(by: .seconds(5400))
            let value = key == "aws:EpochTime" ? "\(end.milliseconds / 1000)" : end.iso8601Seconds
            let operation = key == "aws:EpochTime" ? "NumericLessThan" : "DateLessThan"
            let target = AccessTarget.vault(vault.location)
            try await vault.engine.setVaultAccessPolicy(
                vault.location,
                PolicyText.of(
                    PolicyText.vault("Allow", "DescribeVault", when: "{\"\(operation)\": {\"\(key)\": \"\(value)\"}}"),
                    PolicyText.vault(
                        "Allow", "ListJobs",
                        when: "{\"\(operation.replacing("Less", with: "Greater"))\": {\"\(key)\": \"\(value)\"}}", sid: "t")))
            func isLetIn(_ engine: VaultEngine, _ action: VaultAction) async throws -> Bool {
                do throws(VaultError) {
                    _ = try await engine.authorize(.user("alice"), action, on: target)
                    return true
                } catch {
                    #expect(error.code == .accessDenied)
                    return false
                }
            }
            _ = try await vault.engine.createAccount(TestVault.account)
            try await vault.engine.createUser(TestVault.account, try #require(UserName("alice")))
            #expect(try await isLetIn(vault.engine, .describeVault))
            #expect(try await !isLetIn(vault.engine, .listJobs))
            vault.clock.jump(by: .seconds(7200))
            let restarted = try await vault.anotherEngine()
            #expect(try await !restarted.clockStatus().isTrusted)
            #expect(try await !isLetIn(restarted, .describeVault), "by the wall clock it has ended")
            #expect(try await !isLetIn(restarted, .listJobs), "by the time that has surely come this has not begun")
            _ = try await restarted.confirmClock()
            #expect(try await !isLetIn(restarted, .describeVault))
            #expect(try await isLetIn(restarted, .listJobs))
        }
    }
}
