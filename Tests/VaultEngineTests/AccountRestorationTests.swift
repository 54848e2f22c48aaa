// SPDX-License-Identifier: Apache-2.0

import Cryptography
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// An older catalog, put back, gets from the durable records of accounts what it does not know.
@Suite(.serialized) struct AccountRestorationTests {
    private static let user = UserName("u")!
    private static let policy =
        #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"glacier:ListVaults","Resource":"*"}]}"#

    @Test func whatWasDisabledDeletedOrSetSinceStaysSo() async throws {
        try await withVault { vault in
            let engine = vault.engine
            let root = try await engine.createAccount(TestVault.account)
            let stolen = try await engine.createAccessKey(TestVault.account)
            try await engine.createUser(TestVault.account, Self.user)
            try await engine.putUserPolicy(TestVault.account, Self.user, name: "old", document: Self.policy)
            try await vault.catalog.backup(to: vault.directory + "/older.sqlite")

            try await engine.setAccessKey(stolen.accessKeyID, active: false)
            try await engine.deleteUserPolicy(TestVault.account, Self.user, name: "old")
            let later = try await engine.createAccessKey(TestVault.account, user: Self.user)
            // More changes than anybody would try generation by generation.
            for bytes in 1...70 {
                try await engine.setDataRetrievalPolicy(
                    TestVault.account, TestVault.region, .bytesPerHour(UInt64(bytes)))
            }

            let older = try await SQLiteCatalog.open(path: vault.directory + "/older.sqlite")
            let lines = LoggedLines()
            let restored = vault.engine(over: older, logger: lines.logger)
            try await restored.prepare()
            #expect(lines.named("an account's record is newer than the catalog and was adopted").count == 1)
            #expect(try await restored.credential(for: stolen.accessKeyID)?.isActive != true)
            #expect(try await restored.credential(for: root.accessKeyID)?.isActive == true)
            let credential = try #require(try await restored.credential(for: later.accessKeyID))
            #expect(credential.isActive && credential.principal.user == Self.user)
            #expect(credential.secret.isEqual(to: SecretBytes(bytes: Array(later.secretAccessKey.utf8))))
            #expect(try await restored.userPolicies(TestVault.account, Self.user).isEmpty)
            #expect(
                try await restored.dataRetrievalPolicy(TestVault.account, TestVault.region) == .bytesPerHour(70))
            // It can be changed, and stands above all other records.
            try await restored.setAccessKey(root.accessKeyID, active: false)
            _ = try await restored.rotateMasterKey()
            let row = try #require(try await older.account(TestVault.account))
            #expect(vault.cold.names(containing: "accounts/").last?.hasSuffix("\(row.generation)") == true)
            await older.close()
        }
    }

    @Test func namesThatAreTakenAreSteppedOverAtOnce() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(TestVault.account)
            let account = try await vault.engine.accountState(TestVault.account)
            for generation in 2...200 { _ = try await vault.engine.writeAccountRecord(account, from: UInt64(generation)) }
            #expect(try await vault.engine.writeAccountRecord(account, from: 2).generation == 201)
        }
    }

    @Test func anAccountThatCannotBeReadKeepsNobodyElseFromBeingServed() async throws {
        try await withVault { vault in
            let other = try #require(AccountID("222222222222"))
            _ = try await vault.engine.createAccount(TestVault.account)
            _ = try await vault.engine.createAccount(other)
            var keys = try await vault.catalog.accessKeys(of: other)
            let row = try #require(try await vault.catalog.account(other))
            var bytes = keys[0].secret.bytes
            bytes[bytes.count - 1] ^= 1
            keys[0].secret = SealedColumnValue(keyVersion: keys[0].secret.keyVersion, bytes: bytes)
            try await vault.catalog.putAccount(row, accessKeys: keys, expectedGeneration: row.generation)
            // The rotation says what it could not do, and does the rest.
            await expectRefusal(.integrity) { _ = try await vault.engine.rotateMasterKey() }
            let version = vault.keyring.currentMaster.version
            #expect(try await vault.catalog.account(TestVault.account)?.masterVersion == version)
            #expect(try await vault.catalog.account(other)?.masterVersion != version)

            let lines = LoggedLines()
            let next = vault.engine(over: vault.catalog, logger: lines.logger)
            let message = "an interrupted key rotation could not be finished; older master keys stay in use"
            try await vault.running([next]) {
                try await vault.until("the start") { !lines.named("\(message)").isEmpty }
                _ = try await next.listAccounts(after: nil, limit: 10)
            }
        }
    }
}
