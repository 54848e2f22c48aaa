// SPDX-License-Identifier: Apache-2.0

import SQLiteCatalog
import SealedArchive
import Storage
import Testing
import VaultModel

@testable import VaultEngine

/// How changes of one account meet each other and what they leave behind.
@Suite(.serialized) struct AccountChangeTests {
    private var account: AccountID { TestVault.account }

    private func records(_ vault: TestVault) -> [String] { vault.cold.names(containing: "accounts/").sorted() }

    private func newest(_ vault: TestVault) async throws -> String {
        let row = try #require(try await vault.catalog.account(account))
        return BlobName.account(account: account.digits, generation: row.generation).text
    }

    /// All but the newest record goes away, which is the one that the catalog stands on.
    private func expectNoLitter(_ vault: TestVault) async throws {
        try await vault.running {
            try await vault.until("the clean-up", advancing: .seconds(1000)) { records(vault).count == 1 }
        }
        #expect(records(vault) == [try await newest(vault)])
    }

    @Test func whatChangesNothingWritesNothing() async throws {
        try await withVault { vault in
            let access = try await vault.engine.createAccount(account)
            let policy = DataRetrievalPolicy.bytesPerHour(1 << 30)
            try await vault.engine.setDataRetrievalPolicy(account, TestVault.region, policy)
            let before = (try await vault.catalog.account(account)?.generation, records(vault))
            for _ in 0..<3 { try await vault.engine.setDataRetrievalPolicy(account, TestVault.region, policy) }
            try await vault.engine.setAccount(account, active: true)
            try await vault.engine.setAccessKey(access.accessKeyID, active: true)
            #expect(try await vault.catalog.account(account)?.generation == before.0)
            #expect(records(vault) == before.1)
            try await vault.engine.setDataRetrievalPolicy(account, TestVault.region, .none)
            #expect(try await vault.catalog.account(account)?.generation == before.0.map { $0 + 1 })
        }
    }

    /// Texts that look the same, with letters composed differently, are two policies.
    @Test func aPolicyThatDiffersInBytesOnlyIsAChange() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(account)
            try await vault.engine.createUser(account, UserTests.anna)
            let texts = ["e\u{301}", "\u{E9}"].map { PolicyText.of(PolicyText.own("Allow", "*", sid: $0)) }
            for text in texts {
                try await vault.engine.putUserPolicy(account, UserTests.anna, name: "p", document: text)
                let stored = try await vault.engine.userPolicies(account, UserTests.anna)["p"]
                #expect(stored.map { Array($0.utf8) } == Array(text.utf8))
            }
        }
    }

    /// A crash came between a record and its commit, or an older catalog was put back: the next change is made on top of the record.
    @Test func aChangeIsMadeOnTopOfANewerRecord() async throws {
        try await withVault { vault in
            let access = try await vault.engine.createAccount(account)
            var recorded = try await vault.engine.accountState(account)
            recorded.users.append(
                AccountState.User(name: UserTests.anna, state: .active, created: vault.clock.now(), policies: [:]))
            recorded.accessKeys[0].state = .disabled
            let generation = try #require(try await vault.catalog.account(account)).generation
            _ = try #require(try await vault.engine.writeAccountRecord(recorded, exactly: generation + 1))
            let bob = try #require(UserName("bob"))
            try await vault.engine.createUser(account, bob)
            #expect(try await vault.engine.listUsers(account).map(\.name) == [UserTests.anna, bob])
            #expect(try await vault.engine.credential(for: access.accessKeyID)?.isActive == false)
            #expect(try await vault.catalog.account(account)?.generation == generation + 2)
            try await expectNoLitter(vault)
        }
    }

    /// However many ask for changes of their own, the operator's change has its turn.
    @Test func whoeverWantsAChangeGetsIt() async throws {
        try await withVault { vault in
            let access = try await vault.engine.createAccount(account)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<60 {
                    group.addTask {
                        let policy = DataRetrievalPolicy.bytesPerHour(UInt64(number + 1) << 20)
                        try await vault.engine.setDataRetrievalPolicy(account, TestVault.region, policy)
                    }
                    if number == 30 {
                        group.addTask { try await vault.engine.setAccessKey(access.accessKeyID, active: false) }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await vault.engine.credential(for: access.accessKeyID)?.isActive == false)
            #expect(vault.engine.accountGate.heldCount == 0 && vault.engine.accountGate.waiterCount == 0)
            try await expectNoLitter(vault)
        }
    }

    /// Another process wins the first round, on top of the record it found, and the state it made is one that the change refuses.
    @Test func aRefusedChangeLeavesNoRecordThatCouldWinARebuild() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(account)
            let other = try await vault.anotherEngine()
            let catalog = AccessCountingCatalog(vault.catalog)
            let engine = vault.engine(over: catalog)
            let bob = try #require(UserName("bob"))
            catalog.before("putAccount") { try? await other.createUser(TestVault.account, bob) }
            await expectRefusal(.invalidParameter) { try await engine.createUser(account, UserTests.anna) }
            #expect(try await vault.engine.listUsers(account).map(\.name) == [UserTests.anna, bob])
            #expect(records(vault).last == (try await newest(vault)), "the catalog stands on the highest record")
            try await expectNoLitter(vault)
        }
    }

    /// A round is lost to a process that makes the same change: nothing is left to do, but the lost record must not stay.
    @Test func aChangeThatAnotherProcessMadeLeavesNoRecordEither() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(account)
            let other = try await vault.anotherEngine()
            let catalog = AccessCountingCatalog(vault.catalog)
            let engine = vault.engine(over: catalog)
            catalog.before("putAccount") { try? await other.setAccount(TestVault.account, active: false) }
            try await engine.setAccount(account, active: false)
            #expect(try await vault.catalog.account(account)?.state == .disabled)
            #expect(records(vault).last == (try await newest(vault)), "the catalog stands on the highest record")
            try await expectNoLitter(vault)
        }
    }
}
