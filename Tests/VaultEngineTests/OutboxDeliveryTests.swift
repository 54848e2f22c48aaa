// SPDX-License-Identifier: Apache-2.0

import Logging
import Messaging
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// How messages get from the outbox to targets that are slow, dead, picky, or just back.
@Suite(.serialized) struct OutboxDeliveryTests {
    private func topic(_ name: String) throws -> TopicARN { try NotificationTests.topic(name) }

    /// A vault with one archive and one topic, whose target does as it is told.
    private func withTopic(
        _ conduct: FakeTransport.Conduct, _ body: (TestVault, FakeTransport, TopicARN, StoredArchive) async throws -> Void
    ) async throws {
        let topic = try topic("t")
        try await withNotifiedVault { vault, transport in
            _ = try await vault.engine.createTopic(topic, target: NotificationTests.hook)
            transport.set(topic, conduct)
            try await body(vault, transport, topic, try await vault.upload(content(1000, seed: 1)))
        }
    }

    @Test func deadTargetsDelayNeitherJobsNorOtherTopics() async throws {
        let dead = try (0..<6).map { try topic("dead\($0)") }
        let alive = try topic("alive")
        try await withNotifiedVault { vault, transport in
            for topic in dead + [alive] {
                _ = try await vault.engine.createTopic(topic, target: NotificationTests.hook)
            }
            for topic in dead { transport.set(topic, .hangs) }
            let stored = try await vault.upload(content(1000, seed: 1))
            try await vault.running {
                for topic in dead + dead {
                    #expect(
                        try await vault.ended(try await vault.announce(stored.archiveID, to: topic)).status
                            == .succeeded)
                }
                try await vault.until("six hanging deliveries") { transport.attempts.count == 6 }
                for count in 1...5 {
                    _ = try await vault.ended(try await vault.announce(stored.archiveID, to: alive))
                    try await vault.until("message \(count)") { transport.taken(by: alive).count == count }
                }
                for topic in dead { #expect(transport.attempts(at: topic) == 1, "one delivery at a time for a topic") }
            }
            #expect(transport.overlaps == 0)
            #expect(transport.mostRunning <= DeliveryQueue.slots)
            #expect(try await vault.outbox().count == 12, "what hangs was broken off and stays")
        }
    }

    @Test func aTopicThatTakesItsMessagesGetsThemInOrderOfCompletion() async throws {
        try await withTopic(.fails) { vault, transport, topic, stored in
            try await vault.running {
                var jobs: [String] = []
                for _ in 0..<6 {
                    jobs.append(try await vault.announce(stored.archiveID, to: topic))
                    _ = try await vault.ended(jobs[jobs.count - 1])
                    vault.clock.advance(by: .milliseconds(10))
                }
                try await vault.until("the first attempt") { transport.attempts.count >= 1 }
                transport.set(topic, .takes)
                try await vault.until("all messages", advancing: .milliseconds(100)) { transport.taken.count == 6 }
                // The first one failed once and has its own pause; the rest came in order.
                let bodies = transport.taken.map(\.body)
                let order = bodies.compactMap { body in jobs.firstIndex { body.contains("\"JobId\":\"\($0)\"") } }
                #expect(Set(order) == Set(0..<6))
                #expect(order.filter { $0 > 0 } == [1, 2, 3, 4, 5])
            }
        }
    }

    @Test func aMessageNotTakenComesAgainUnderItsID() async throws {
        try await withTopic(.fails) { vault, transport, topic, stored in
            try await vault.running {
                _ = try await vault.ended(try await vault.announce(stored.archiveID, to: topic))
                for count in 1...4 {
                    try await vault.until("attempt \(count)", advancing: .milliseconds(200)) {
                        try await vault.outbox().first?.attempts ?? 0 >= UInt32(count)
                    }
                }
                let waiting = try #require(
                    try await vault.engine.listMessages(TestVault.account, state: .waiting, after: nil, limit: 9).first)
                #expect(waiting.lastFailure == "it is down" && waiting.nextAttempt > waiting.created)
                transport.set(topic, .takes)
                try await vault.until("its delivery", advancing: .seconds(1)) { transport.taken.count == 1 }
                try await vault.until("an empty outbox") { try await vault.outbox().isEmpty }
            }
            #expect(transport.attempts.count >= 5)
            #expect(Set(transport.attempts.map(\.message)).count == 1, "the same message, word for word")
        }
    }

    @Test func whatAProcessDidNotDeliverTheNextOneDoes() async throws {
        try await withTopic(.hangs) { vault, transport, topic, stored in
            try await vault.running {
                _ = try await vault.ended(try await vault.announce(stored.archiveID, to: topic))
                try await vault.until("the first attempt") { transport.attempts.count == 1 }
            }
            #expect(try await vault.outbox().map(\.attempts) == [0], "a delivery broken off is no attempt")
            transport.set(topic, .takes)
            try await vault.running([try await vault.anotherEngine()]) {
                try await vault.until("the second attempt") { transport.taken.count == 1 }
                try await vault.until("an empty outbox") { try await vault.outbox().isEmpty }
            }
            #expect(Set(transport.attempts.map(\.message)).count == 1)
        }
    }

    @Test func afterThreeDaysAMessageIsDeadUntilAnOperatorSendsItAgainOrDropsIt() async throws {
        try await withTopic(.fails) { vault, transport, topic, stored in
            try await vault.running {
                for _ in 0..<3 { _ = try await vault.ended(try await vault.announce(stored.archiveID, to: topic)) }
                try await vault.until("three dead letters", advancing: .seconds(120)) {
                    try await vault.outbox(.dead).count == 3
                }
                let attempts = transport.attempts.count
                #expect(attempts >= 24, "each was tried eight times at least: \(attempts)")
                let letters = try await vault.engine.listMessages(TestVault.account, state: .dead, after: nil, limit: 9)
                #expect(letters.allSatisfy { $0.lastFailure?.contains("it is down") == true })
                transport.set(topic, .takes)
                vault.clock.advance(by: .seconds(86_400))
                try await vault.engine.dropMessage(letters[0].id)
                await expectRefusal(.notFound, "delivered or dropped") {
                    try await vault.engine.dropMessage(letters[0].id)
                }
                await expectRefusal(.notFound, "delivered or dropped") {
                    try await vault.engine.resendMessage(letters[0].id)
                }
                try await vault.engine.resendMessage(letters[1].id)
                try await vault.until("its delivery") { transport.taken.count == 1 }
                #expect(transport.taken.first?.id == letters[1].id)
                try await vault.until("one letter left") { try await vault.outbox(.dead).count == 1 }
                #expect(try await vault.outbox(.dead).map(\.id) == [letters[2].id])
            }
        }
    }

    @Test func aMessageThatIsRefusedDiesSoonAndHoldsUpNobody() async throws {
        let (picky, other) = (try topic("picky"), try topic("other"))
        try await withNotifiedVault { vault, transport in
            for topic in [picky, other] {
                _ = try await vault.engine.createTopic(topic, target: NotificationTests.hook)
            }
            transport.set(picky, .refuses)
            let stored = try await vault.upload(content(1000, seed: 1))
            try await vault.running {
                _ = try await vault.ended(try await vault.announce(stored.archiveID, to: picky))
                try await vault.until("a dead letter", advancing: .milliseconds(500)) {
                    try await vault.outbox(.dead).count == 1
                }
                #expect(transport.attempts(at: picky) == 5)
                transport.set(picky, .takes)
                _ = try await vault.ended(try await vault.announce(stored.archiveID, to: picky))
                try await vault.until("the next message, at once") { transport.taken(by: picky).count == 1 }
            }
        }
    }

    @Test func aTopicThatIsMadeLaterGetsWhatItsOperatorSendsAgain() async throws {
        let topic = try topic("late")
        try await withNotifiedVault { vault, transport in
            let stored = try await vault.upload(content(1000, seed: 1))
            try await vault.running {
                _ = try await vault.ended(try await vault.announce(stored.archiveID, to: topic))
                try await vault.until("a dead letter") { try await vault.outbox(.dead).count == 1 }
                _ = try await vault.engine.createTopic(topic, target: NotificationTests.hook)
                try await vault.engine.resendMessage(try #require(try await vault.outbox(.dead).first).id)
                try await vault.until("its delivery") { transport.taken.count == 1 }
            }
        }
    }

    @Test func aMessageWhoseTopicWasDeletedIsGivenUp() async throws {
        try await withTopic(.fails) { vault, transport, topic, stored in
            try await vault.running {
                _ = try await vault.ended(try await vault.announce(stored.archiveID, to: topic))
                try await vault.until("an attempt") { try await vault.outbox().first?.attempts ?? 0 > 0 }
                try await vault.engine.deleteTopic(topic)
                try await vault.until("a dead letter", advancing: .seconds(1)) {
                    try await vault.outbox(.dead).count == 1
                }
            }
        }
    }

    @Test func messagesOutliveTheirVaultAndARotationOfTheMasterKey() async throws {
        try await withTopic(.fails) { vault, transport, topic, stored in
            try await vault.running {
                _ = try await vault.ended(try await vault.announce(stored.archiveID, to: topic))
                try await vault.until("an attempt") { transport.attempts.count >= 1 }
                try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
                try await vault.engine.deleteVault(vault.location)
                _ = try await vault.engine.rotateMasterKey()
                transport.set(topic, .takes)
                try await vault.until("its delivery", advancing: .seconds(1)) { transport.taken.count == 1 }
            }
        }
    }

    @Test func anAccountKeepsItsNewestDeadLettersAndNoMoreThanItMay() async throws {
        let topic = try topic("t")
        try await withNotifiedVault { vault, _ in
            let stored = try await vault.upload(content(1000, seed: 1))
            let id = try await vault.announce(stored.archiveID, to: topic)
            let epoch = try await vault.catalog.beginEpoch()
            let now = vault.clock.now()
            let waiting = try #require(try await vault.catalog.runnableJobs(at: now, limit: 1).first)
            #expect(waiting.id == id)
            var job = try #require(
                try await vault.catalog.claimJobs(
                    like: waiting.uid, epoch: epoch, at: now, leaseUntil: now.advanced(by: .seconds(60)), limit: 1
                )
                .first)
            job.state = .failed
            job.completed = now
            job.expires = now.advanced(by: .seconds(60))
            let total = DeadLetters.kept + 3 * DeadLetters.slack
            let rows = (0..<total).map { number in
                OutboxRow(
                    id: MessageUID(at: now.advanced(by: .milliseconds(number)), random: vault.random), topic: topic,
                    account: TestVault.account, job: job.uid, sequence: UInt32(number), created: now, notBefore: now,
                    sealed: SealedColumnValue(keyVersion: 1, bytes: [1]))
            }
            #expect(try await vault.catalog.finishJob(job, epoch: epoch, staged: nil, messages: rows) == .finished)
            let letters = DeadLetters(
                catalog: vault.catalog, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            for row in rows { try await letters.bury(DeliverySchedule.givenUp(row, reason: "x", at: now)) }
            let kept = try await vault.outbox(.dead).map(\.id)
            #expect((DeadLetters.kept...DeadLetters.kept + DeadLetters.slack).contains(kept.count), "\(kept.count)")
            #expect(kept == rows.suffix(kept.count).map(\.id), "the newest are kept")
        }
    }
}
