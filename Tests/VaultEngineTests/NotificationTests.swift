// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Messaging
import SQLiteCatalog
import Storage
import Testing
import VaultModel

@testable import VaultEngine

/// What is announced to whom when a job ends.
@Suite(.serialized) struct NotificationTests {
    static func topic(_ name: String, account: AccountID = TestVault.account) throws -> TopicARN {
        try #require(TopicARN("arn:aws:sns:us-east-1:\(account):\(name)"))
    }

    static let hook = TopicTarget.webhook(url: "https://hooks.example.org/a?token=SESAME")

    @Test func aFinishedJobIsToldToItsOwnTopicAndToTheVaultsAsDescribeJobShowsIt() async throws {
        let (own, vaults) = (try Self.topic("own"), try Self.topic("vaults"))
        try await withNotifiedVault { vault, transport in
            for topic in [own, vaults] { _ = try await vault.engine.createTopic(topic, target: Self.hook) }
            try await vault.engine.setVaultNotifications(
                vault.location, VaultNotifications(topic: vaults, events: VaultEvent.allCases))
            let stored = try await vault.upload(content(1000, seed: 1))
            let job = try await vault.announce(stored.archiveID, to: own, description: "d")
            #expect(try await vault.outbox().isEmpty, "nothing is said while a job is in progress")
            try await vault.running {
                let description = try await vault.ended(job)
                try await vault.until("both messages") { transport.taken.count == 2 }
                try await vault.until("an empty outbox") { try await vault.outbox().isEmpty }
                for topic in [own, vaults] {
                    let message = try #require(transport.taken(by: topic).first)
                    #expect(message.body == description.document.canonicalString())
                    #expect(message.subject == "ArchiveRetrievalCompleted")
                    #expect(message.created == description.completed)
                    let document = try JSONParser.parse(Array(message.body.utf8))
                    #expect(document["StatusCode"] == "Succeeded" && document["Completed"] == true)
                    #expect(document["JobDescription"] == "d" && document["SNSTopic"] == .string(own.text))
                }
                #expect(Set(transport.taken.map(\.id)).count == 2)
                #expect(transport.attempts.allSatisfy { $0.target == Self.hook && $0.secret.count == 32 })
                #expect(Set(transport.attempts.map(\.secret)).count == 2, "each topic has a secret of its own")
            }
        }
    }

    @Test func theSameTopicTwiceIsToldOnce() async throws {
        let topic = try Self.topic("t")
        try await withNotifiedVault { vault, transport in
            _ = try await vault.engine.createTopic(topic, target: Self.hook)
            try await vault.engine.setVaultNotifications(
                vault.location, VaultNotifications(topic: topic, events: [.archiveRetrievalCompleted]))
            let stored = try await vault.upload(content(1000, seed: 1))
            try await vault.running {
                _ = try await vault.ended(try await vault.announce(stored.archiveID, to: topic))
                try await vault.until("an empty outbox") { try await vault.outbox().isEmpty }
            }
            #expect(transport.taken.count == 1)
        }
    }

    @Test func onlyTheEventsChosenAreTold() async throws {
        let topic = try Self.topic("t")
        try await withNotifiedVault { vault, transport in
            _ = try await vault.engine.createTopic(topic, target: Self.hook)
            try await vault.engine.setVaultNotifications(
                vault.location, VaultNotifications(topic: topic, events: [.inventoryRetrievalCompleted]))
            let stored = try await vault.upload(content(1000, seed: 1))
            try await vault.running {
                _ = try await vault.ended(try await vault.retrieve(stored.archiveID))
                let inventory = try await vault.engine.initiateJob(
                    vault.location,
                    JobRequest(action: .inventory(InventoryParameters()), tier: nil, description: nil, snsTopic: nil))
                let description = try await vault.ended(inventory)
                try await vault.until("the message") { transport.taken.count == 1 }
                #expect(transport.taken.first?.subject == "InventoryRetrievalCompleted")
                #expect(transport.taken.first?.body == description.document.canonicalString())
                try await vault.until("an empty outbox") { try await vault.outbox().isEmpty }
            }
            #expect(transport.taken.count == 1)
        }
    }

    @Test func aJobThatFailedIsToldToo() async throws {
        let topic = try Self.topic("t")
        try await withNotifiedVault { vault, transport in
            _ = try await vault.engine.createTopic(topic, target: Self.hook)
            let stored = try await vault.upload(content(1000, seed: 1))
            let job = try await vault.announce(stored.archiveID, to: topic)
            vault.cold.rot(containing: "part-")
            try await vault.running {
                let description = try await vault.ended(job)
                #expect(description.status == .failed)
                try await vault.until("the message") { transport.taken.count == 1 }
                #expect(transport.taken.first?.body == description.document.canonicalString())
            }
            let document = try JSONParser.parse(Array(try #require(transport.taken.first).body.utf8))
            #expect(document["StatusCode"] == "Failed" && document["Completed"] == true)
        }
    }

    @Test func nobodySendsToATopicOfAnotherAccountOrToOneThatIsNotThere() async throws {
        let other = try #require(AccountID("999999999999"))
        let (foreign, absent) = (try Self.topic("t", account: other), try Self.topic("absent"))
        try await withNotifiedVault { vault, transport in
            _ = try await vault.engine.createAccount(other)
            _ = try await vault.engine.createTopic(foreign, target: Self.hook)
            let stored = try await vault.upload(content(1000, seed: 1))
            try await vault.running {
                for topic in [foreign, absent] {
                    let job = try await vault.announce(stored.archiveID, to: topic)
                    #expect(try await vault.ended(job).status == .succeeded)
                }
                try await vault.until("dead letters") { try await vault.outbox(.dead).count == 2 }
            }
            for letter in try await vault.outbox(.dead) {
                #expect(
                    letter.lastFailure == "account \(TestVault.account) has no such topic",
                    "nothing tells whether it exists elsewhere")
                #expect(letter.attempts == 0)
            }
            #expect(transport.attempts.isEmpty)
            #expect(try await vault.engine.listMessages(other, state: .dead, after: nil, limit: 10).isEmpty)
        }
    }

    @Test func topicsAreMadeListedAndDeletedAndTheirSecretsAreSealed() async throws {
        let (first, second) = (try Self.topic("a"), try Self.topic("b"))
        try await withNotifiedVault { vault, _ in
            let made = try await vault.engine.createTopic(second, target: .command(arguments: ["/bin/true", "x"]))
            #expect(made.signingSecret.utf8.count == 64)
            let other = try await vault.engine.createTopic(first, target: Self.hook)
            #expect(other.signingSecret != made.signingSecret)
            await expectRefusal(.invalidParameter, "exists already") {
                _ = try await vault.engine.createTopic(first, target: .directory(path: "/queue"))
            }
            // As another process reads it, and after the keys have been rotated.
            _ = try await vault.engine.rotateMasterKey()
            let topics = try await vault.anotherEngine().listTopics(TestVault.account)
            #expect(topics.map(\.topic) == [first, second])
            #expect(topics.map(\.target) == [Self.hook, .command(arguments: ["/bin/true", "x"])])
            let catalog = try await vault.catalogBytes()
            for secret in [made.signingSecret, "SESAME", "/bin/true"] {
                #expect(!catalog.holds(Array(secret.utf8)), "\(secret)")
            }
            try await vault.engine.deleteTopic(first)
            #expect(try await vault.engine.listTopics(TestVault.account).map(\.topic) == [second])
            await expectRefusal(.notFound, "no topic") { try await vault.engine.deleteTopic(first) }
            await expectRefusal(.notFound, "no account") {
                _ = try await vault.engine.listTopics(AccountID("555555555555")!)
            }
        }
    }

    @Test(arguments: [
        (TopicTarget.webhook(url: "ftp://example.org/"), "neither http nor https"),
        (.webhook(url: "https:///path"), "names no host"), (.webhook(url: "https://"), "names no host"),
        (.webhook(url: "https://user@example.org/"), "user name"),
        (.webhook(url: "https://example.org/#x"), "fragment"),
        (.webhook(url: "https://example.org:0/"), "port"), (.webhook(url: "https://example.org:65536/"), "port"),
        (.webhook(url: "https://example.org:+1/"), "port"), (.webhook(url: "https://exa mple.org/"), "percent-encoded"),
        (.webhook(url: "https://example.org/\r\nx: y"), "percent-encoded"),
        (.webhook(url: "https://[::1/"), "names no host"),
        (.webhook(url: "https://" + String(repeating: "a", count: 2048)), "longer"), (.webhook(url: ""), "neither"),
        (.directory(path: "queue"), "absolute"), (.directory(path: "/absent"), "not there"),
        (.directory(path: "/a\0b"), "absolute"),
        (.command(arguments: []), "empty"), (.command(arguments: ["true"]), "absolute"),
        (.command(arguments: ["/bin/true", "a\0b"]), "zero byte"),
        (.command(arguments: Array(repeating: "/bin/true", count: 33)), "more than"),
    ])
    func aTargetThatCannotBeIsRefused(target: TopicTarget, reason: String) async throws {
        let topic = try Self.topic("t")
        try await withNotifiedVault { vault, _ in
            await expectRefusal(.invalidParameter, reason) {
                _ = try await vault.engine.createTopic(topic, target: target)
            }
            let topics = try await vault.engine.listTopics(TestVault.account)
            #expect(topics.isEmpty)
        }
    }

    @Test(arguments: [
        "https://example.org", "http://127.0.0.1:8080/hook?a=b%20c", "HTTPS://Example.ORG:443/",
        "https://[2001:db8::1]:8443/x",
        "https://example.org?x=1",
    ])
    func aTargetThatCanBeIsNot(url: String) { #expect(TopicTarget.webhook(url: url).fault == nil) }

    @Test func aTopicIsTestedAtOnceAndTellsWhatIsWrong() async throws {
        let topic = try Self.topic("t")
        try await withNotifiedVault { vault, transport in
            await expectRefusal(.notFound, "no topic") { try await vault.engine.testTopic(topic) }
            _ = try await vault.engine.createTopic(topic, target: Self.hook)
            try await vault.engine.testTopic(topic)
            #expect(transport.taken.map(\.subject) == ["Test"])
            transport.set(topic, .fails)
            await expectRefusal(.unavailable, "it is down") { try await vault.engine.testTopic(topic) }
            transport.set(topic, .refuses)
            await expectRefusal(.invalidParameter, "it does not want this") { try await vault.engine.testTopic(topic) }
            #expect(try await vault.outbox().isEmpty, "a test message is not kept")
        }
    }
}

/// A vault whose account exists and whose messages go to a fake.
func withNotifiedVault<R>(_ body: (TestVault, FakeTransport) async throws -> R) async throws -> R {
    let transport = FakeTransport()
    return try await withVault({ $0.transport = transport }) { vault in
        _ = try await vault.engine.createAccount(TestVault.account)
        return try await body(vault, transport)
    }
}

extension TestVault {
    func announce(_ archiveID: String, to topic: TopicARN, description: String? = nil) async throws -> String {
        try await engine.initiateJob(
            location,
            JobRequest(
                action: .archive(archiveID: archiveID, range: nil), tier: nil, description: description,
                snsTopic: topic.text))
    }

    func outbox(_ state: OutboxRow.State = .waiting) async throws -> [OutboxRow] {
        try await catalog.messages(account: Self.account, state: state, after: nil, limit: 10_000)
    }
}
