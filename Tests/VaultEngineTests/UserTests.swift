// SPDX-License-Identifier: Apache-2.0

import AccessPolicy
import CanonicalJSON
import Cryptography
import Foundation
import SQLiteCatalog
import SealedArchive
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

@Suite(.serialized) struct UserTests {
    static let anna = UserName("anna")!
    static let bert = UserName("bert")!
    static let allowList = """
        {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"glacier:ListVaults","Resource":"*"}]}
        """
    private var account: AccountID { TestVault.account }

    private func principal(_ vault: TestVault, _ access: NewAccessKey) async throws -> Principal? {
        guard let credential = try await vault.engine.credential(for: access.accessKeyID, sessionToken: nil),
            credential.isActive,
            credential.secret.isEqual(to: SecretBytes(bytes: Array(access.secretAccessKey.utf8)))
        else { return nil }
        return credential.principal
    }

    /// The newest record of the account, opened.
    private func record(_ vault: TestVault) async throws -> [String: JSONValue] {
        let row = try #require(try await vault.catalog.account(account))
        let name = BlobName.account(account: account.digits, generation: row.generation).text
        let blob = try #require(BlobID(name).flatMap { vault.cold.memory.blobs[$0] })
        let master = vault.keyring.currentMaster
        #expect(master.version == row.masterVersion)
        let plain = try SealedBlob.open(
            blob, expecting: BlobExpectation(.record, uid: BlobPreamble.uid(ofAccount: account.digits)),
            account: account.digits, vaultUID: VaultUID.none.bytes, key: master.key)
        return try StateRecord(decoding: plain.plaintext, expecting: .account).body
    }

    @Test func aUserLivesWithItsKeys() async throws {
        try await withVault { vault in
            let root = try await vault.engine.createAccount(account)
            try await vault.engine.createUser(account, Self.bert)
            try await vault.engine.createUser(account, Self.anna)
            await expectRefusal(.invalidParameter, "already") { try await vault.engine.createUser(account, Self.anna) }
            #expect(
                try await vault.engine.listUsers(account)
                    == [Self.anna, Self.bert].map {
                        UserDescription(
                            account: account, name: $0, isActive: true, created: vault.clock.now(), policies: [])
                    })
            let key = try await vault.engine.createAccessKey(account, user: Self.anna)
            let other = try await vault.engine.createAccessKey(account, user: Self.bert)
            #expect(try await principal(vault, root) == Principal(account: account))
            #expect(try await principal(vault, key) == Principal(account: account, user: Self.anna))
            #expect(
                try await vault.engine.listAccessKeys(account).first { $0.accessKeyID == key.accessKeyID }?.user
                    == Self.anna)
            await expectRefusal(.notFound, "no user carl") {
                _ = try await vault.engine.createAccessKey(account, user: UserName("carl"))
            }

            try await vault.engine.setUser(account, Self.anna, active: false)
            #expect(try await principal(vault, key) == nil, "a disabled user's key counts as unknown at once")
            #expect(try await principal(vault, other) != nil)
            try await vault.engine.setUser(account, Self.anna, active: true)
            #expect(try await principal(vault, key) != nil)
            try await vault.engine.setAccount(account, active: false)
            for access in [root, key, other] { #expect(try await principal(vault, access) == nil) }
            try await vault.engine.setAccount(account, active: true)

            try await vault.engine.deleteUser(account, Self.anna)
            #expect(try await vault.engine.credential(for: key.accessKeyID, sessionToken: nil) == nil)
            #expect(try await principal(vault, other) != nil)
            #expect(try await vault.engine.listUsers(account).map(\.name) == [Self.bert])
            await expectRefusal(.notFound, "no user anna") { try await vault.engine.deleteUser(account, Self.anna) }
            await expectRefusal(.notFound, "no user anna") {
                try await vault.engine.setUser(account, Self.anna, active: true)
            }
            let nobody = try #require(AccountID("999999999999"))
            await expectRefusal(.notFound, "no account") { try await vault.engine.createUser(nobody, Self.anna) }
            await expectRefusal(.notFound, "no account") { _ = try await vault.engine.listUsers(nobody) }
        }
    }

    @Test func policiesAreKeptVerbatimAndRefusedWithThePlace() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(account)
            try await vault.engine.createUser(account, Self.anna)
            let spaced = Self.allowList + " \n"
            try await vault.engine.putUserPolicy(account, Self.anna, name: "reader", document: spaced)
            try await vault.engine.putUserPolicy(account, Self.anna, name: "a", document: Self.allowList)
            #expect(try await vault.engine.userPolicies(account, Self.anna) == ["reader": spaced, "a": Self.allowList])
            #expect(try await vault.engine.listUsers(account).first?.policies == ["a", "reader"])
            try await vault.engine.deleteUserPolicy(account, Self.anna, name: "reader")
            try await vault.engine.deleteUserPolicy(account, Self.anna, name: "reader")
            #expect(try await vault.engine.userPolicies(account, Self.anna) == ["a": Self.allowList])

            let wrong = Self.allowList.replacing("Allow", with: "Permit")
            for (text, place) in [(wrong, "Statement"), ("", ""), ("{", ""), (#"{"Version":"2012-10-17"}"#, "")] {
                await expectRefusal(.invalidParameter, place) {
                    try await vault.engine.putUserPolicy(account, Self.anna, name: "bad", document: text)
                }
            }
            for name in ["", "a b", "ä", String(repeating: "x", count: 129)] {
                await expectRefusal(.invalidParameter, "policy's name") {
                    try await vault.engine.putUserPolicy(account, Self.anna, name: name, document: Self.allowList)
                }
            }
            await expectRefusal(.notFound, "no user bert") {
                try await vault.engine.putUserPolicy(account, Self.bert, name: "a", document: Self.allowList)
            }
            await expectRefusal(.notFound, "no user bert") {
                _ = try await vault.engine.userPolicies(account, Self.bert)
            }
            #expect(try await vault.engine.userPolicies(account, Self.anna) == ["a": Self.allowList])
        }
    }

    @Test func theManualsPolicyAllowsWhatItSays() async throws {
        let manual = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Docs/Operations/Identity.md")
        let text = try String(contentsOf: manual, encoding: .utf8)
        let start = try #require(text.range(of: "<<'JSON'\n"))
        let end = try #require(text.range(of: "\nJSON\n"))
        let owner = try #require(AccountID("111122223333"))
        try await withVault { vault in
            _ = try await vault.engine.createAccount(owner)
            try await vault.engine.createUser(owner, Self.anna)
            try await vault.engine.putUserPolicy(
                owner, Self.anna, name: "upload-only", document: String(text[start.upperBound..<end.lowerBound]))
            let region = TestVault.region
            let backup = VaultLocation(account: owner, region: region, name: try #require(VaultName("backup")))
            let other = VaultLocation(account: owner, region: region, name: try #require(VaultName("photos")))
            for (action, location, isAllowed) in [
                (.uploadArchive, backup, true), (.initiateMultipartUpload, backup, true),
                (.uploadMultipartPart, backup, true),
                (.abortMultipartUpload, backup, true), (.describeVault, backup, true), (.deleteArchive, backup, false),
                (.initiateJob, backup, false), (.uploadArchive, other, false),
            ] as [(VaultAction, VaultLocation, Bool)] {
                let decision = try await vault.engine.simulate(
                    Caller(principal: Principal(account: owner, user: Self.anna), region: region, accessKeyID: ""),
                    action,
                    on: .vault(location))
                #expect(decision.isAllowed == isAllowed, "\(action) on \(location.name): \(decision.text)")
            }
        }
    }

    @Test func theEleventhPolicyAndTheByteTooMuchAreRefused() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(account)
            try await vault.engine.createUser(account, Self.anna)
            for number in 0..<Limits.maxPoliciesPerUser {
                try await vault.engine.putUserPolicy(account, Self.anna, name: "p\(number)", document: Self.allowList)
            }
            await expectRefusal(.limitExceeded, "10 policies") {
                try await vault.engine.putUserPolicy(account, Self.anna, name: "one-more", document: Self.allowList)
            }
            let used = Self.allowList.utf8.count * (Limits.maxPoliciesPerUser - 1)
            let rest = Limits.maxIdentityPolicyBytes - used
            func padded(_ bytes: Int) -> String {
                Self.allowList + String(repeating: " ", count: bytes - Self.allowList.utf8.count)
            }
            try await vault.engine.putUserPolicy(account, Self.anna, name: "p0", document: padded(rest))
            await expectRefusal(.limitExceeded, "6145 bytes") {
                try await vault.engine.putUserPolicy(account, Self.anna, name: "p0", document: padded(rest + 1))
            }
        }
    }

    @Test func everyReadOfPoliciesSeesTheNewestAndStrangersHaveNone() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(account)
            try await vault.engine.createUser(account, Self.anna)
            let anna = Principal(account: account, user: Self.anna)
            func names(_ principal: Principal) async throws -> [String] {
                try await vault.engine.identityPolicies(of: principal).map(\.name)
            }
            #expect(try await names(anna) == [])
            try await vault.engine.putUserPolicy(account, Self.anna, name: "b", document: Self.allowList)
            #expect(try await names(anna) == ["b"])
            try await vault.engine.putUserPolicy(account, Self.anna, name: "a", document: Self.allowList)
            #expect(try await names(anna) == ["a", "b"])
            #expect(try await names(anna) == ["a", "b"])
            #expect(try await names(Principal(account: account)) == [])
            #expect(try await names(Principal(account: account, user: Self.bert)) == [])
            #expect(try await names(Principal(account: try #require(AccountID("999999999999")), user: Self.anna)) == [])
            // Another process changes it: this one's cache must not matter.
            try await vault.anotherEngine().deleteUserPolicy(account, Self.anna, name: "a")
            #expect(try await names(anna) == ["b"])
            try await vault.engine.deleteUser(account, Self.anna)
            #expect(try await names(anna) == [])
        }
    }

    @Test func theCacheIsBoundedAndNeverGoesBack() throws {
        let cache = IdentityPolicyCache()
        for number in 0..<IdentityPolicyCache.maxEntries + 10 {
            let principal = Principal(account: account, user: UserName("u\(number)"))
            cache.remember([], of: principal, generation: 5)
            #expect(cache.policies(of: principal, generation: 5)?.isEmpty == true)
        }
        #expect(cache.count <= IdentityPolicyCache.maxEntries)
        let anna = Principal(account: account, user: Self.anna)
        cache.remember([], of: anna, generation: 7)
        cache.remember([], of: anna, generation: 6)
        #expect(cache.policies(of: anna, generation: 7) != nil && cache.policies(of: anna, generation: 6) == nil)
    }

    @Test func theRecordHoldsEverythingAndARotationMovesIt() async throws {
        try await withVault { vault in
            let root = try await vault.engine.createAccount(account)
            try await vault.engine.createUser(account, Self.anna)
            let key = try await vault.engine.createAccessKey(account, user: Self.anna)
            try await vault.engine.putUserPolicy(account, Self.anna, name: "p", document: Self.allowList)
            try await vault.engine.setDataRetrievalPolicy(account, TestVault.region, .bytesPerHour(7))
            let unit = try await vault.engine.purchaseProvisionedCapacity(account, TestVault.region)
            let topic = try #require(TopicARN("arn:aws:sns:us-east-1:\(account):done"))
            let document: JSONValue = ["secret": "00", "target": ["kind": "directory", "path": "/var/spool/x"]]
            let now = vault.clock.now()
            try await vault.engine.changeAccount(account) {
                $0.topics.append(AccountState.Topic(topic: topic, created: now, document: document))
            }

            func check() async throws {
                let body = try await record(vault)
                #expect(body["users"]?[0]?["name"] == "anna" && body["users"]?[0]?["state"] == "active")
                #expect(body["users"]?[0]?["policies"]?["p"] == .string(Self.allowList))
                let users = (body["accessKeys"]?.arrayValue ?? []).reduce(into: [String: JSONValue]()) {
                    $0[$1["id"]?.stringValue ?? ""] = $1["user"]
                }
                #expect(users == [root.accessKeyID: .null, key.accessKeyID: "anna"])
                #expect(body["topics"]?[0]?["arn"] == .string(topic.text) && body["topics"]?[0]?["secret"] == "00")
                #expect(body["topics"]?[0]?["target"]?["kind"] == "directory")
                #expect(
                    body["retrievalPolicies"]?["us-east-1"] == ["strategy": "BytesPerHour", "bytesPerHour": 7])
                #expect(body["provisionedCapacity"]?["us-east-1"]?[0]?["id"] == .string(unit))
                #expect(try await principal(vault, key)?.user == Self.anna)
                #expect(try await vault.engine.userPolicies(account, Self.anna) == ["p": Self.allowList])
                #expect(try await vault.engine.dataRetrievalPolicy(account, TestVault.region) == .bytesPerHour(7))
                #expect(try await vault.engine.accountState(account).topics.map(\.document) == [document])
                let members = try await vault.catalog.members(of: account)
                let version = vault.keyring.currentMaster.version
                #expect(members.users.allSatisfy { $0.policies.keyVersion == version })
                #expect(members.topics.allSatisfy { $0.target.keyVersion == version })
                #expect(members.accessKeys.allSatisfy { $0.secret.keyVersion == version })
                #expect(try await vault.catalog.account(account)?.settings?.keyVersion == version)
            }
            try await check()
            // What is sealed is nowhere in clear.
            let bytes = try await vault.catalogBytes()
            for secret in [Self.allowList, "BytesPerHour", "/var/spool/x", key.secretAccessKey, unit] {
                #expect(!bytes.holds(Array(secret.utf8)), "\(secret)")
            }
            _ = try await vault.engine.rotateMasterKey()
            try await check()
        }
    }

    @Test func aMovedPolicyDoesNotOpen() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(account)
            for (user, name) in [(Self.anna, "a"), (Self.bert, "b")] {
                try await vault.engine.createUser(account, user)
                try await vault.engine.putUserPolicy(account, user, name: name, document: Self.allowList)
            }
            let row = try #require(try await vault.catalog.account(account))
            var members = try await vault.catalog.members(of: account)
            let (a, b) = (members.users[0].policies, members.users[1].policies)
            members.users[0].policies = b
            members.users[1].policies = a
            try await vault.catalog.putAccount(row, members: members, expectedGeneration: row.generation)
            await expectRefusal(.integrity) { _ = try await vault.engine.userPolicies(account, Self.anna) }
        }
    }

    @Test func anAccountAtAllItsLimitsFitsItsRecord() throws {
        var account = AccountState(id: account, state: .active, created: Timestamp(milliseconds: 0))
        // The most escapes that JSON text of these lengths can need: every character doubled.
        let quotes = { (count: Int) in String(repeating: "\"", count: count) }
        for number in 0..<100 {
            let name = UserName(String(repeating: "u", count: 61) + String(100 + number))!
            var policies = ["p" + String(repeating: "x", count: 127): quotes(Limits.maxIdentityPolicyBytes - 9)]
            for policy in 0..<9 { policies["\(policy)" + String(repeating: "x", count: 127)] = "\"" }
            account.users.append(
                AccountState.User(name: name, state: .disabled, created: account.created, policies: policies))
            account.accessKeys.append(
                AccountState.AccessKey(
                    id: String(repeating: "A", count: 17) + String(100 + number), user: name, state: .disabled,
                    created: account.created, secret: String(repeating: "s", count: 40)))
            let topic = TopicARN(
                "arn:aws:sns:\(String(repeating: "r", count: 32)):\(account.id):" + String(repeating: "t", count: 253)
                    + String(100 + number))!
            let target: JSONValue = ["target": .string(String(repeating: "p", count: AccountState.maxTopicBytes - 13))]
            account.topics.append(AccountState.Topic(topic: topic, created: account.created, document: target))
        }
        for number in 0..<30 {
            let region = try #require(Region(String(repeating: "r", count: 30) + String(10 + number)))
            account.settings.retrievalPolicies[region] = .bytesPerHour(UInt64(Int64.max))
            account.settings.capacity[region] = (0..<2).map { _ in
                CapacityUnit(
                    id: String(repeating: "i", count: 24), start: account.created,
                    expiration: Timestamp(milliseconds: .max))
            }
        }
        try account.checkLimits()
        let record = StateRecord(
            type: .account, generation: 1 << 52, createdMilliseconds: .max, account: account.id.digits,
            vaultUID: VaultUID.none.bytes, body: account.recordBody)
        let bytes = record.encode().count
        #expect(bytes > 2 << 20 && bytes < StateRecord.maxBytes, "\(bytes)")
        // One more of anything is refused.
        let additions: [(inout AccountState) -> Void] = [
            { $0.accessKeys.append($0.accessKeys[0]) }, { $0.users.append($0.users[0]) },
            { $0.topics.append($0.topics[0]) },
        ]
        for add in additions {
            var more = account
            add(&more)
            #expect(throws: VaultError.self) { try more.checkLimits() }
        }
        account.topics[0].document = ["target": .string(String(repeating: "p", count: AccountState.maxTopicBytes - 12))]
        #expect(throws: VaultError.self) { try account.checkLimits() }
    }

    @Test func settingsReadBackWhatTheyWroteAndNothingElse() throws {
        let region = TestVault.region
        var settings = AccountSettings.none
        settings.retrievalPolicies = [
            region: .freeTier, try #require(Region("eu-west-1")): .bytesPerHour(UInt64(Int64.max)),
        ]
        settings.capacity[region] = [
            CapacityUnit(id: "x", start: Timestamp(milliseconds: 1), expiration: Timestamp(milliseconds: 2))
        ]
        let column = AccountColumn(settings: settings)
        #expect(AccountColumn(json: column.json) == column)
        #expect(AccountColumn(json: [:])?.settings == AccountSettings.none, "an older document has none")
        for bad: JSONValue in [
            ["retrievalPolicies": ["us-east-1": ["strategy": "Magic"]]],
            ["retrievalPolicies": ["us-east-1": ["strategy": "BytesPerHour", "bytesPerHour": 0]]],
            ["retrievalPolicies": ["us-east-1": ["strategy": "BytesPerHour"]]],
            ["retrievalPolicies": ["US": ["strategy": "FreeTier"]]],
            ["provisionedCapacity": ["us-east-1": [["id": "x"]]]], ["provisionedCapacity": ["us-east-1": "x"]],
        ] {
            #expect(AccountColumn(json: bad) == nil)
        }
        #expect(UserColumn(json: ["policies": ["a": 1]]) == nil)
        #expect(UserColumn(json: [:]) == nil)
    }
}
