// SPDX-License-Identifier: Apache-2.0

import Cryptography
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Two accounts with their users and vaults, an engine, and what the truth about them is.
final class LockWorld {
    typealias Statement = AccessOracle.Statement

    struct Tally: CustomStringConvertible {
        var steps = 0
        var failures = 0
        var deletions = 0
        /// Deletions that nothing but a lock's age rule stopped.
        var protectedDeletions = 0
        var clockRefusals = 0
        var foreignAllowed = 0
        var foreignDenied = 0
        var lockedVaults = 0
        var restarts = 0
        var outages = 0
        var restores = 0

        mutating func add(_ other: Tally) {
            steps += other.steps
            failures += other.failures
            deletions += other.deletions
            protectedDeletions += other.protectedDeletions
            clockRefusals += other.clockRefusals
            foreignAllowed += other.foreignAllowed
            foreignDenied += other.foreignDenied
            lockedVaults += other.lockedVaults
            restarts += other.restarts
            outages += other.outages
            restores += other.restores
        }

        var description: String {
            "\(steps) steps, \(deletions) deletions, \(protectedDeletions) stopped by a lock's age rule alone, \(clockRefusals) waited for the "
                + "clock, other accounts allowed \(foreignAllowed) and denied \(foreignDenied) times, \(lockedVaults) vaults locked, "
                + "\(restarts) restarts, \(outages) of the machine, \(restores) older catalogs restored, \(failures) failures"
        }
    }

    struct Lock {
        var statements: [Statement]
        var text: String
        var id: String
        var isLocked: Bool
        var created: Timestamp
    }

    struct Vault {
        let uid: VaultUID
        var access: [Statement]?
        var lock: Lock?
        var tags: [String: String] = [:]
        /// Stored archives and the true time when they were.
        var archives: [String: Timestamp] = [:]
    }

    struct State {
        var vaults: [VaultLocation: Vault] = [:]
        var policies: [Principal: [Statement]] = [:]
    }

    /// Completed locks of vaults that were deleted: an older catalog may bring the vault back, and its lock with it.
    var goneLocks: [VaultUID: Lock] = [:]
    let vault: TestVault
    let isHonest: Bool
    let seed: UInt64
    let accounts: [AccountID]
    let principals: [Principal]
    let places: [VaultLocation]
    let maker: StatementMaker
    var choices: SeededGenerator
    var engine: VaultEngine
    var catalog: SQLiteCatalog
    var others: [SQLiteCatalog] = []
    var state = State()
    var backup: (path: String, state: State)?
    /// The time it is, whatever the wall clock says.
    var truth: Timestamp
    /// How long the machine was off in all, and what of its last minutes was not durable.
    var uncounted: Duration = .zero
    var tally = Tally()
    var rotations = 0
    /// Archives that were, for deletions of what is gone.
    var gone: [String] = []

    init(_ vault: TestVault, seed: UInt64, isHonest: Bool) async throws {
        self.vault = vault
        self.seed = seed
        self.isHonest = isHonest
        choices = SeededGenerator(seed: seed)
        let other = try #require(AccountID("999988887777"))
        accounts = [TestVault.account, other]
        let alice = try #require(UserName("alice"))
        principals = accounts.flatMap { [Principal(account: $0), Principal(account: $0, user: alice)] }
        places = try accounts.flatMap { account in
            try ["v", "w"].map {
                VaultLocation(account: account, region: TestVault.region, name: try #require(VaultName($0)))
            }
        }
        maker = StatementMaker(principals: principals, vaults: places)
        engine = vault.engine
        catalog = vault.catalog
        truth = vault.clock.now()
        vault.clock.beginRun("0")
        for account in accounts {
            _ = try await engine.createAccount(account)
            try await engine.createUser(account, alice)
        }
        _ = try await engine.clockStatus()
        for place in places {
            try await engine.createVault(place)
            state.vaults[place] = Vault(uid: try #require(try await catalog.vault(at: place)).uid)
        }
    }

    func close() async {
        for catalog in others where catalog !== vault.catalog { await catalog.close() }
    }

    // MARK: Choices

    func number(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &choices) }
    func pick<T>(_ list: [T]) -> T { list[number(list.count)] }

    /// Half of the time the root of the account that owns the vault, else somebody; now and then with temporary credentials and a policy of
    /// their own.
    func somebody(at place: VaultLocation) -> (caller: Caller, session: [Statement]?) {
        let principal = Bool.random(using: &choices) ? Principal(account: place.account) : pick(principals)
        let session = number(8) == 0 ? maker.own(&choices, at: truth) : nil
        let caller = Caller(
            principal: principal, region: TestVault.region, accessKeyID: "CVAKTEST",
            sessionPolicy: session.map { AccessOracle.text($0) },
            sourceAddress: "192.0.2.7", isSecure: true, userAgent: "tests")
        return (caller, session)
    }

    // MARK: The truth

    /// How far the engine's idea of the time may run ahead of the truth when clocks are moved: an hour, however often it is started; and an
    /// archive may have been dated back by the time that nobody counted.
    var slack: Duration { isHonest ? .zero : ClockGuard.tolerance + uncounted }

    /// The time by which a grant has ended: the wall clock's when that is later than what the engine has surely counted.
    var grantTime: Timestamp {
        isHonest ? truth : max(vault.clock.now(), truth.advanced(by: .zero - uncounted))
    }

    func days(since created: Timestamp) -> Int64 {
        max(0, truth.advanced(by: slack).since(created).components.seconds / 86_400)
    }

    /// The lock that must be obeyed: with moved clocks, one in progress may fall away a little early.
    func lockInForce(_ vault: Vault) -> Lock? {
        guard let lock = vault.lock else { return nil }
        let end = lock.created.advanced(by: .seconds(24 * 3600))
        return lock.isLocked || truth.advanced(by: slack) < end ? lock : nil
    }

    func question(
        _ who: (caller: Caller, session: [Statement]?), _ action: VaultAction, _ place: VaultLocation,
        archive: String? = nil
    ) -> AccessOracle.Question {
        let known = state.vaults[place]
        return AccessOracle.Question(
            who: who.caller.principal, session: who.session, action: action, vault: place, account: place.account,
            days: archive.flatMap { known?.archives[$0] }.map(days), grantTime: grantTime,
            denialTime: truth.advanced(by: slack), tags: known?.tags ?? [:],
            identity: state.policies[who.caller.principal] ?? [], access: known?.access,
            lock: known.flatMap { lockInForce($0)?.statements })
    }

    /// Compares a decision with the oracle's.
    func compare(_ isAllowed: Bool, _ question: AccessOracle.Question, _ what: String) {
        let expected = AccessOracle.allows(question)
        if question.who.account != question.account {
            if isAllowed { tally.foreignAllowed += 1 } else { tally.foreignDenied += 1 }
        }
        if isHonest ? isAllowed != expected : isAllowed && !expected {
            fail("\(what): the engine \(isAllowed ? "allows" : "denies"), the oracle does not agree; \(question)")
        }
    }

    func fail(_ what: String) {
        tally.failures += 1
        Issue.record("COLDVAULT_SEED=\(seed) step \(tally.steps): \(what)")
    }

    /// Whether the caller is let in; the oracle is asked, too.
    func isLetIn(
        _ who: (caller: Caller, session: [Statement]?), _ action: VaultAction, _ place: VaultLocation,
        archive: String? = nil
    ) async throws -> Bool {
        let target: AccessTarget = archive.map { .archive(place, id: $0) } ?? .vault(place)
        let isAllowed = try await succeeds([.accessDenied]) {
            _ = try await engine.authorize(who.caller, action, on: target)
        }
        compare(isAllowed, question(who, action, place, archive: archive), "\(action)")
        return isAllowed
    }

    /// True when it succeeds, false when it is refused with one of `codes`; anything else is a failure.
    func succeeds(_ codes: Set<VaultError.Code>, _ body: () async throws -> Void) async throws -> Bool {
        do {
            try await body()
            return true
        } catch let error as VaultError {
            if !codes.contains(error.code) { fail("\(error)") }
            return false
        }
    }
}
