// SPDX-License-Identifier: Apache-2.0

import Cryptography
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

@Suite(.serialized) struct AccountTests {
    private func opens(_ vault: TestVault, _ access: NewAccessKey) async throws -> Bool {
        guard let credential = try await vault.engine.credential(for: access.accessKeyID), credential.isActive else {
            return false
        }
        #expect(credential.account == access.account && credential.accessKeyID == access.accessKeyID)
        return credential.secret.isEqual(to: SecretBytes(bytes: Array(access.secretAccessKey.utf8)))
    }

    private func open(_ vault: TestVault, _ keys: NewAccessKey...) async throws -> [Bool] {
        var out: [Bool] = []
        for key in keys { out.append(try await opens(vault, key)) }
        return out
    }

    @Test func anAccountLivesWithItsKeys() async throws {
        try await withVault { vault in
            let first = try await vault.engine.createAccount(TestVault.account)
            #expect(
                first.accessKeyID.count == 20 && first.secretAccessKey.count == 40 && first.account == TestVault.account
            )
            #expect(try await opens(vault, first))
            await expectRefusal(.invalidParameter, "exists already") {
                _ = try await vault.engine.createAccount(TestVault.account)
            }
            let second = try await vault.engine.createAccessKey(TestVault.account)
            #expect(try await open(vault, first, second) == [true, true])
            #expect(
                Set(try await vault.engine.listAccessKeys(TestVault.account).map(\.accessKeyID)) == [
                    first.accessKeyID, second.accessKeyID,
                ])

            try await vault.engine.setAccessKey(first.accessKeyID, active: false)
            #expect(try await open(vault, first, second) == [false, true])
            try await vault.engine.setAccessKey(first.accessKeyID, active: true)
            #expect(try await opens(vault, first))

            try await vault.engine.setAccount(TestVault.account, active: false)
            #expect(try await open(vault, first, second) == [false, false])
            #expect(try await vault.engine.listAccounts(after: nil, limit: 10).map(\.isActive) == [false])
            try await vault.engine.setAccount(TestVault.account, active: true)
            #expect(try await open(vault, first, second) == [true, true])

            try await vault.engine.deleteAccessKey(first.accessKeyID)
            #expect(try await vault.engine.credential(for: first.accessKeyID) == nil)
            #expect(try await opens(vault, second))
            await expectRefusal(.notFound, "no access key") {
                try await vault.engine.deleteAccessKey(first.accessKeyID)
            }
            await expectRefusal(.notFound, "no access key") { try await vault.engine.setAccessKey("", active: true) }
            let nobody = try #require(AccountID("999999999999"))
            await expectRefusal(.notFound, "no account") { _ = try await vault.engine.createAccessKey(nobody) }
            await expectRefusal(.notFound, "no account") { _ = try await vault.engine.listAccessKeys(nobody) }
            #expect(try await vault.engine.credential(for: "") == nil)
            #expect(try await vault.engine.credential(for: String(repeating: "A", count: 20)) == nil)
        }
    }

    @Test func accountsWithoutANumberGetDistinctOnesAndAreListed() async throws {
        try await withVault { vault in
            var ids: Set<AccountID> = []
            for _ in 0..<5 { ids.insert(try await vault.engine.createAccount(nil).account) }
            #expect(ids.count == 5)
            var listed: [AccountID] = []
            while true {
                let page = try await vault.engine.listAccounts(after: listed.last, limit: 2)
                if page.isEmpty { break }
                listed += page.map(\.account)
            }
            #expect(listed == ids.sorted())
        }
    }

    @Test func theHundredAndFirstKeyIsRefused() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(TestVault.account)
            for _ in 1..<Limits.maxAccessKeysPerAccount {
                _ = try await vault.engine.createAccessKey(TestVault.account)
            }
            await expectRefusal(.limitExceeded, "100 access keys") {
                _ = try await vault.engine.createAccessKey(TestVault.account)
            }
        }
    }

    @Test func keysMadeAtOnceAllExist() async throws {
        try await withVault { vault in
            let first = try await vault.engine.createAccount(TestVault.account)
            let made = await withTaskGroup(of: NewAccessKey?.self) { group in
                for _ in 0..<5 { group.addTask { try? await vault.engine.createAccessKey(TestVault.account) } }
                return await group.reduce(into: [NewAccessKey]()) { if let key = $1 { $0.append(key) } }
            }
            for access in made + [first] { #expect(try await opens(vault, access)) }
            #expect(try await vault.engine.listAccessKeys(TestVault.account).count == made.count + 1)
            // The newest durable record holds every key that was acknowledged: no loser of the race is left that could
            // win a rebuild.
            try await vault.running {
                try await vault.until("the clean-up", advancing: .seconds(1000)) {
                    vault.cold.names(containing: "accounts/").count == 1
                }
            }
        }
    }

    @Test func aMovedSecretDoesNotOpen() async throws {
        try await withVault { vault in
            let first = try await vault.engine.createAccount(TestVault.account)
            let second = try await vault.engine.createAccessKey(TestVault.account)
            var keys = try await vault.catalog.accessKeys(of: TestVault.account)
            let account = try #require(try await vault.catalog.account(TestVault.account))
            let (a, b) = (keys[0].secret, keys[1].secret)
            keys[0].secret = b
            keys[1].secret = a
            try await vault.catalog.putAccount(account, accessKeys: keys, expectedGeneration: account.generation)
            for id in [first.accessKeyID, second.accessKeyID] {
                await expectRefusal(.integrity) { _ = try await vault.engine.credential(for: id) }
            }
        }
    }
}
