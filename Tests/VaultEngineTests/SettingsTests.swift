// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SQLiteCatalog
import SealedArchive
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Tags, notifications and access policies: what is set is durable, sealed, and there after everything.
@Suite(.serialized) struct SettingsTests {
    private static let topic = TopicARN("arn:aws:sns:us-east-1:123456789012:ready")
    static func allow(_ action: String = "glacier:ListJobs", arn: String = TestVault.location("v").arn) -> String {
        """
        { "Version": "2012-10-17", "Statement": [{"Sid": "s", "Effect": "Allow", "Principal": "*",
          "Action": "\(action)", "Resource": "\(arn)"}] }
        """
    }

    /// Two keys that look the same are two keys; the vault can hold one of them, and says so rather than mix them up.
    @Test func aSecondSpellingOfATagKeyIsRefusedAndRemovesNothing() async throws {
        try await withVault { vault in
            let (composed, apart) = ("caf\u{E9}", "cafe\u{301}")
            try await vault.engine.addTags(vault.location, [composed: "e\u{301}"])
            await expectRefusal(.invalidParameter, "composed differently") {
                try await vault.engine.addTags(vault.location, [apart: "2", "other": "3"])
            }
            try await vault.engine.removeTags(vault.location, [apart])
            try await vault.engine.addTags(vault.location, [composed: "\u{E9}"])
            let tags = try await vault.engine.tags(vault.location)
            #expect(tags.map { Array($0.key.utf8) } == [Array(composed.utf8)])
            #expect(tags.values.map { Array($0.utf8) } == [Array("\u{E9}".utf8)], "values differ by their bytes, too")
            try await vault.engine.removeTags(vault.location, [composed])
            #expect(try await vault.engine.tags(vault.location).isEmpty)
        }
    }

    @Test func anAccessPolicyMaySayNothing() async throws {
        try await withVault { vault in
            let policy = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
            try await vault.engine.setVaultAccessPolicy(vault.location, policy)
            #expect(try await vault.engine.vaultAccessPolicy(vault.location) == policy)
            _ = try await vault.anotherEngine().authorize(.root(), .uploadArchive, on: .vault(vault.location))
            await expectRefusal(.accessDenied) {
                _ = try await vault.engine.authorize(.user("alice"), .describeVault, on: .vault(vault.location))
            }
            await expectRefusal(.invalidParameter, "must not be empty") {
                _ = try await vault.engine.initiateVaultLock(vault.location, policy: policy)
            }
        }
    }

    @Test func tagsAreAddedReplacedAndRemoved() async throws {
        try await withVault { vault in
            let engine = vault.engine
            #expect(try await engine.tags(vault.location).isEmpty)
            try await engine.addTags(vault.location, ["a": "1", "b": ""])
            try await engine.addTags(vault.location, ["a": "2", "ключ": "знач"])
            #expect(try await engine.tags(vault.location) == ["a": "2", "b": "", "ключ": "знач"])
            try await engine.removeTags(vault.location, ["b", "absent"])
            #expect(try await engine.tags(vault.location) == ["a": "2", "ключ": "знач"])
            try await engine.removeTags(vault.location, ["a", "ключ"])
            #expect(try await engine.tags(vault.location).isEmpty)
            #expect(try await vault.catalog.vault(at: vault.location)?.settings == nil)
        }
    }

    @Test func theFiftyFirstTagIsRefusedAndNothingIsAdded() async throws {
        try await withVault { vault in
            let engine = vault.engine
            let fifty = Dictionary(uniqueKeysWithValues: (0..<50).map { ("k\($0)", "v") })
            try await engine.addTags(vault.location, fifty)
            await expectRefusal(
                .limitExceeded,
                "The quota for the number of tags that can be assigned to this resource has been reached."
            ) {
                try await engine.addTags(vault.location, ["k0": "changed", "one more": "x"])
            }
            #expect(try await engine.tags(vault.location) == fifty)
            try await engine.addTags(vault.location, ["k0": "changed"])
            #expect(try await engine.tags(vault.location)["k0"] == "changed")
        }
    }

    @Test func notificationsAndAccessPolicyComeBackVerbatim() async throws {
        let topic = try #require(Self.topic)
        try await withVault { vault in
            let engine = vault.engine
            await expectRefusal(.notFound, "No notification configuration is set for vault: v") {
                _ = try await engine.vaultNotifications(vault.location)
            }
            await expectRefusal(.notFound, "No vault access policy is set for: v") {
                _ = try await engine.vaultAccessPolicy(vault.location)
            }
            try await engine.deleteVaultNotifications(vault.location)
            try await engine.deleteVaultAccessPolicy(vault.location)

            let wanted = VaultNotifications(
                topic: topic, events: [.inventoryRetrievalCompleted, .archiveRetrievalCompleted])
            try await engine.setVaultNotifications(vault.location, wanted)
            try await engine.setVaultAccessPolicy(vault.location, Self.allow())
            #expect(try await engine.vaultNotifications(vault.location) == wanted)
            #expect(try await engine.vaultAccessPolicy(vault.location) == Self.allow())

            try await engine.deleteVaultNotifications(vault.location)
            try await engine.deleteVaultAccessPolicy(vault.location)
            await expectRefusal(.notFound) { _ = try await engine.vaultNotifications(vault.location) }
            await expectRefusal(.notFound) { _ = try await engine.vaultAccessPolicy(vault.location) }
        }
    }

    @Test(arguments: [
        "", "{", "[]", #"{"Version":"2012-10-17"}"#,
        allow(arn: "arn:aws:glacier:us-east-1:123456789012:vaults/other"),
        allow("s3:GetObject"), allow() + String(repeating: " ", count: 20 << 10),
    ])
    func aPolicyThatCannotBeObeyedIsRefused(policy: String) async throws {
        try await withVault { vault in
            await expectRefusal(
                .invalidParameter, "The specified vault access policy is invalid. Provide a valid policy."
            ) {
                try await vault.engine.setVaultAccessPolicy(vault.location, policy)
            }
            await expectRefusal(
                .invalidParameter, "The specified vault lock policy is invalid. Provide a valid policy."
            ) {
                _ = try await vault.engine.initiateVaultLock(vault.location, policy: policy)
            }
            let row = try await vault.catalog.vault(at: vault.location)
            #expect(row?.generation == 1, "nothing was written")
        }
    }

    @Test func anUnknownVaultHasNoSettings() async throws {
        let topic = try #require(Self.topic)
        try await withVault { vault in
            let (engine, other) = (vault.engine, TestVault.location("other"))
            let policy = Self.allow(arn: other.arn)
            let verbs: [() async throws -> Void] = [
                { try await engine.addTags(other, ["a": "b"]) }, { try await engine.removeTags(other, ["a"]) },
                { _ = try await engine.tags(other) },
                {
                    try await engine.setVaultNotifications(
                        other, VaultNotifications(topic: topic, events: [.archiveRetrievalCompleted]))
                },
                { _ = try await engine.vaultNotifications(other) },
                { try await engine.deleteVaultNotifications(other) },
                { try await engine.setVaultAccessPolicy(other, policy) },
                { _ = try await engine.vaultAccessPolicy(other) },
                { try await engine.deleteVaultAccessPolicy(other) },
                { _ = try await engine.initiateVaultLock(other, policy: policy) },
                { try await engine.completeVaultLock(other, lockID: "x") }, { try await engine.abortVaultLock(other) },
                { _ = try await engine.vaultLock(other) },
            ]
            for verb in verbs { await expectRefusal(.notFound, "Vault not found for ARN: \(other.arn)", verb) }
        }
    }

    @Test func settingsSurviveKeyRotationsAndARestart() async throws {
        let topic = try #require(Self.topic)
        try await withVault { vault in
            var expected = VaultSettings()
            expected.tags = ["case": "A-1"]
            expected.accessPolicy = Self.allow()
            expected.notifications = VaultNotifications(topic: topic, events: [.archiveRetrievalCompleted])
            try await vault.engine.addTags(vault.location, expected.tags)
            try await vault.engine.setVaultAccessPolicy(vault.location, Self.allow())
            try await vault.engine.setVaultNotifications(vault.location, try #require(expected.notifications))
            let id = try await vault.engine.initiateVaultLock(vault.location, policy: Self.allow())
            try await vault.engine.completeVaultLock(vault.location, lockID: id)
            expected.lock = try await vault.engine.vaultLock(vault.location)

            for round in 0..<3 {
                if round == 0 { _ = try await vault.engine.rotateVaultKey(vault.location) }
                if round == 1 { _ = try await vault.engine.rotateMasterKey() }
                for engine in [vault.engine, try await vault.anotherEngine()] {
                    let row = try #require(try await vault.catalog.vault(at: vault.location))
                    #expect(try engine.settings(of: row).settings == expected, "round \(round)")
                    #expect(row.settings?.keyVersion == row.keys.last?.version, "the column is under the newest key")
                }
                #expect(try await record(of: vault) == expected, "round \(round): the record says the same")
            }
            // Sealed: neither catalog nor blobs hold any of it in clear.
            let catalog = try await vault.catalogBytes()
            for secret in ["A-1", "glacier:ListJobs", topic.text] {
                #expect(!catalog.holds(Array(secret.utf8)))
                for (_, bytes) in vault.cold.memory.blobs { #expect(!bytes.holds(Array(secret.utf8))) }
            }
        }
    }

    /// The settings in the newest durable record, read as a rebuild would.
    private func record(of vault: TestVault) async throws -> VaultSettings? {
        let row = try #require(try await vault.catalog.vault(at: vault.location))
        let name = BlobName.vault(
            account: row.location.account.digits, vaultUID: row.uid.bytes, generation: row.generation
        ).text
        #expect(vault.cold.names(containing: "records/vault-").last == name, "the row is at its newest record")
        let id = try #require(BlobID(name))
        let bytes = try #require(vault.cold.memory.blobs[id])
        let version = try BlobPreamble(parsing: bytes).index
        let opened = try SealedBlob.open(
            bytes, expecting: BlobExpectation(.record, uid: row.uid.bytes), account: row.location.account.digits,
            vaultUID: row.uid.bytes, key: try vault.keyring.master(version))
        return VaultSettings(members: try StateRecord(decoding: opened.plaintext, expecting: .vault).body)
    }

    @Test func settingsAreOpenedOncePerGeneration() async throws {
        try await withVault { vault in
            try await vault.engine.addTags(vault.location, ["a": "b"])
            var row = try #require(try await vault.catalog.vault(at: vault.location))
            let opened = try vault.engine.settings(of: row)
            // A column that would not open any more is not opened again at this generation, and is at the next.
            row.settings = SealedColumnValue(keyVersion: 1, bytes: [1, 2, 3])
            #expect(try vault.engine.settings(of: row).settings == opened.settings)
            row.generation += 1
            #expect(throws: VaultError.self) { try vault.engine.settings(of: row) }
        }
    }

    @Test func theCacheIsBoundedAndNeverGoesBack() {
        let cache = SettingsCache()
        var choices = SeededChoices(seed: 5)
        let uids = (0..<3000).map { VaultUID(words: UIDWords(high: 1, low: $0)) }
        for uid in uids {
            cache.keep(.none, of: uid, generation: UInt64(1 + choices.number(3)))
            #expect(cache.count <= SettingsCache.capacity)
        }
        let tagged = OpenedSettings(settings: VaultSettings(tags: ["new": ""]))
        cache.keep(tagged, of: uids[0], generation: 10)
        cache.keep(.none, of: uids[0], generation: 9)
        #expect(cache.settings(of: uids[0], generation: 10)?.settings == tagged.settings)
        #expect(cache.settings(of: uids[0], generation: 9) == nil)
    }

    @Test func everySettingSurvivesItsColumnAndOldRecordsReadAsNone() throws {
        let topic = try #require(Self.topic)
        let created = Timestamp(milliseconds: 17)
        for bits in 0..<32 {
            var settings = VaultSettings()
            if bits & 1 != 0 { settings.tags = ["": "", "k \u{10FFFF}": "v"] }
            if bits & 2 != 0 { settings.accessPolicy = "{\n\t\"x\": 1.50 }" }
            if bits & 4 != 0 { settings.notifications = VaultNotifications(topic: topic, events: VaultEvent.allCases) }
            if bits & 24 == 8 { settings.lock = VaultLock(id: "i", policy: "p", state: .inProgress, created: created) }
            if bits & 24 == 16 { settings.lock = VaultLock(id: "i", policy: "p", state: .locked, created: created) }
            let bytes = SettingsColumn(settings).json.canonicalBytes()
            #expect(SettingsColumn(json: try JSONParser.parse(bytes))?.settings == settings)
        }
        #expect(VaultSettings(members: [:]) == VaultSettings.none)
        #expect(
            VaultSettings(members: ["notifications": nil, "tags": nil, "accessPolicy": nil, "lock": nil])
                == VaultSettings.none)
    }

    @Test(
        arguments: [
            ["tags": ["a": 1]], ["tags": []], ["accessPolicy": 1], ["lock": [:]],
            ["lock": ["id": "a", "policy": "b", "state": "locked", "created": 1]],
            ["notifications": ["topic": "x", "events": ["ArchiveRetrievalCompleted"]]],
            ["notifications": ["topic": "arn:aws:sns:us-east-1:123456789012:t", "events": []]],
            ["notifications": ["topic": "arn:aws:sns:us-east-1:123456789012:t", "events": ["Unknown"]]],
        ] as [[String: JSONValue]])
    func damagedMembersAreNotReadAsSettings(members: [String: JSONValue]) {
        #expect(VaultSettings(members: members) == nil)
    }
}
