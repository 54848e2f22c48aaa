// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

extension CatalogLaw {
    static let outbox: [CatalogLaw] = [
        CatalogLaw("a message is there when its job is finished, whole, and not before") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let (job, epoch) = try await furnished.lease()
            let topic = try CatalogFixtures.topic("t", of: job.account)
            let message = furnished.fixtures.message(about: job, to: topic)
            let done = furnished.fixtures.finished(job)
            #expect(
                try await catalog.finishJob(done, epoch: epoch - 1, staged: nil, messages: [message]) == .leaseLost)
            #expect(try await catalog.message(message.id) == nil)
            #expect(try await catalog.finishJob(done, epoch: epoch, staged: nil, messages: [message]) == .finished)
            #expect(try await catalog.message(message.id) == message)
            let second = furnished.fixtures.message(about: job, to: topic)
            #expect(try await catalog.finishJob(done, epoch: epoch, staged: nil, messages: [second]) == .leaseLost)
            #expect(try await catalog.message(second.id) == nil)
            #expect(try await catalog.dueMessages(at: .now(100), perTopic: 9, limit: 9) == [message])
        },
        CatalogLaw("a retrieval whose archive went leaves no message of success, and one of failure") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let job = try furnished.fixtures.retrieval(of: archive)
            #expect(try await catalog.insertJob(job))
            let epoch = try await catalog.beginEpoch()
            let claimed = try await catalog.claimJobs(
                like: job.uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 1)
            let held = try #require(claimed.first)
            #expect(try await catalog.deleteArchive(archive.uid, at: .now(60), purgeAfter: .now(70)))
            let topic = try CatalogFixtures.topic("t", of: job.account)
            let (good, bad) = (
                furnished.fixtures.message(about: job, to: topic), furnished.fixtures.message(about: job, to: topic)
            )
            let success = furnished.fixtures.finished(held)
            let failure = furnished.fixtures.finished(held, as: .failed)
            #expect(
                try await catalog.finishJob(success, epoch: epoch, staged: nil, messages: [good]) == .archiveDeleted)
            #expect(try await catalog.finishJob(failure, epoch: epoch, staged: nil, messages: [bad]) == .finished)
            #expect(try await catalog.message(good.id) == nil)
            #expect(try await catalog.message(bad.id) == bad)
        },
        CatalogLaw("a job that cannot be finished for want of its output leaves no message") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let (job, epoch) = try await furnished.lease()
            let message = furnished.fixtures.message(about: job, to: try CatalogFixtures.topic("t", of: job.account))
            let done = furnished.fixtures.finished(job, staged: furnished.fixtures.choices.uid())
            await expectCode(.conflict) {
                _ = try await catalog.finishJob(done, epoch: epoch, staged: nil, messages: [message])
            }
            #expect(try await catalog.message(message.id) == nil)
            // The other way round: a message that cannot be stored leaves the job unfinished.
            let plain = furnished.fixtures.finished(job)
            await expectCode(.alreadyExists) {
                _ = try await catalog.finishJob(plain, epoch: epoch, staged: nil, messages: [message, message])
            }
            #expect(try await catalog.job(job.uid) == job)
            #expect(try await catalog.message(message.id) == nil)
        },
        CatalogLaw("of sixteen that finish a job at the same time one speaks") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let (job, epoch) = try await furnished.lease()
            let topic = try CatalogFixtures.topic("t", of: job.account)
            let done = furnished.fixtures.finished(job)
            let messages = (0..<16).map { _ in furnished.fixtures.message(about: job, to: topic) }
            let outcomes = try await withThrowingTaskGroup(of: JobFinish.self) { group in
                for message in messages {
                    group.addTask {
                        try await catalog.finishJob(done, epoch: epoch, staged: nil, messages: [message])
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.count { $0 == .finished } == 1)
            #expect(try await catalog.totals().waitingMessages == 1)
        },
        CatalogLaw("messages of a job to a topic come one by one in their sequence, and hold up no others") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let account = try furnished.fixtures.accountID(1)
            let (one, two) = (
                try CatalogFixtures.topic("one", of: account), try CatalogFixtures.topic("two", of: account)
            )
            let job = try await furnished.announce([(one, 2, 100), (one, 0, 200), (one, 1, 100), (two, 5, 150)])
            let other = try await furnished.announce([(one, 9, 160)])
            func due(_ now: Int64) async throws -> [MessageUID] {
                try await catalog.dueMessages(at: .now(now), perTopic: 9, limit: 9).map(\.id)
            }
            // The first in sequence is not due before 200: the others of its job and topic wait for it.
            #expect(try await due(99).isEmpty)
            #expect(try await due(159) == [job[3].id])
            #expect(try await due(199) == [job[3].id, other[0].id])
            #expect(try await due(200) == [job[3].id, other[0].id, job[1].id])
            try await catalog.removeMessage(job[1].id)
            #expect(try await due(200) == [job[2].id, job[3].id, other[0].id])
            // A failed attempt moves it, and those behind it with it.
            var retried = job[2]
            retried.attempts = 3
            retried.notBefore = .now(300)
            retried.lastFailure = "no route"
            try await catalog.updateMessage(retried)
            #expect(try await catalog.message(retried.id) == retried)
            #expect(try await due(299) == [job[3].id, other[0].id])
            // Given up: the next one's turn.
            retried.state = .dead
            try await catalog.updateMessage(retried)
            #expect(try await due(299) == [job[0].id, job[3].id, other[0].id])
            // Sent again by an operator: its turn again.
            retried.state = .waiting
            retried.notBefore = .now(250)
            retried.lastFailure = nil
            try await catalog.updateMessage(retried)
            #expect(try await catalog.message(retried.id) == retried)
            #expect(try await due(299) == [job[3].id, other[0].id, retried.id])
        },
        CatalogLaw("a topic with many messages takes no more of a page than its share") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let account = try furnished.fixtures.accountID(1)
            let (dead, live) = (
                try CatalogFixtures.topic("dead", of: account), try CatalogFixtures.topic("live", of: account)
            )
            var crowd: [OutboxRow] = []
            for index in 0..<30 { crowd += try await furnished.announce([(dead, 0, Int64(200 - index))]) }
            let lone = try await furnished.announce([(live, 0, 500)])
            let page = try await catalog.dueMessages(at: .now(600), perTopic: 3, limit: 9)
            #expect(page.map(\.id) == [crowd[29].id, crowd[28].id, crowd[27].id, lone[0].id])
            #expect(
                try await catalog.dueMessages(at: .now(600), perTopic: 9, limit: 2).map(\.id) == [
                    crowd[29].id, crowd[28].id,
                ])
            #expect(try await catalog.dueMessages(at: .now(499), perTopic: 1, limit: 9).map(\.id) == [crowd[29].id])
        },
        CatalogLaw("the next message is the earliest that is not due yet") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let account = try furnished.fixtures.accountID(1)
            let topic = try CatalogFixtures.topic("t", of: account)
            #expect(try await catalog.nextMessage(after: .now(0)) == nil)
            let messages = try await furnished.announce([(topic, 0, 300), (topic, 1, 100)])
            let other = try await furnished.announce([(topic, 0, 200)])
            #expect(try await catalog.nextMessage(after: .now(0)) == .now(200))
            #expect(try await catalog.nextMessage(after: .now(200)) == .now(300))
            #expect(try await catalog.nextMessage(after: .now(300)) == nil)
            var dead = other[0]
            dead.state = .dead
            try await catalog.updateMessage(dead)
            try await catalog.removeMessage(messages[0].id)
            #expect(try await catalog.nextMessage(after: .now(0)) == .now(100))
            #expect(try await catalog.nextMessage(after: .now(100)) == nil)
        },
        CatalogLaw("messages of an account are listed by state and id, page by page") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let account = try furnished.fixtures.accountID(1)
            let topic = try CatalogFixtures.topic("t", of: account)
            var messages: [OutboxRow] = []
            for index in 0..<12 {
                var message = try await furnished.announce([(topic, 0, 100)])[0]
                if index % 3 == 0 {
                    message.state = .dead
                    try await catalog.updateMessage(message)
                }
                messages.append(message)
            }
            for state: OutboxRow.State in [.waiting, .dead] {
                var walked: [OutboxRow] = []
                while walked.count <= messages.count {
                    let page = try await catalog.messages(
                        account: account, state: state, after: walked.last?.id, limit: 3)
                    #expect(page.count <= 3)
                    if page.isEmpty { break }
                    walked += page
                }
                #expect(walked == messages.filter { $0.state == state }.sorted { $0.id < $1.id })
            }
            let stranger = try furnished.fixtures.accountID(2)
            #expect(try await catalog.messages(account: stranger, state: .dead, after: nil, limit: 9).isEmpty)
            #expect(try await catalog.totals().waitingMessages == 8)
            #expect(try await catalog.totals().deadMessages == 4)
        },
        CatalogLaw("what is not in the outbox is neither removed, changed nor brought back") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let topic = try CatalogFixtures.topic("t", of: try furnished.fixtures.accountID(1))
            let message = try await furnished.announce([(topic, 0, 100)])[0]
            try await catalog.removeMessage(message.id)
            try await catalog.removeMessage(message.id)
            try await catalog.updateMessage(message)
            #expect(try await catalog.message(message.id) == nil)
            #expect(try await catalog.totals().waitingMessages == 0)
        },
        CatalogLaw("messages outlive their job and their vault") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let topic = try CatalogFixtures.topic("t", of: try furnished.fixtures.accountID(1))
            let messages = try await furnished.announce([(topic, 0, 100), (topic, 1, 100)])
            #expect(try await catalog.expireJobs(at: .now(5000), limit: 9) == 1)
            let vault = furnished.vault.uid
            _ = try await catalog.beginVaultDeletion(vault)
            try await catalog.finishVaultDeletion(vault, generation: 2, at: .now(6000))
            #expect(try await catalog.vault(vault) == nil)
            #expect(try await catalog.dueMessages(at: .now(6000), perTopic: 9, limit: 9) == [messages[0]])
            try await catalog.removeMessage(messages[0].id)
            #expect(try await catalog.dueMessages(at: .now(6000), perTopic: 9, limit: 9) == [messages[1]])
        },
    ]

    static let outboxModels: [CatalogLaw] = [
        CatalogLaw("300 random changes of the outbox leave the same messages due as in a model") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            for seed in 1...3 as ClosedRange<UInt64> { try await replayOutbox(seed: seed, on: &furnished) }
        }
    ]

    private static func replayOutbox(seed: UInt64, on furnished: inout FurnishedCatalog) async throws {
        var choices = SeededGenerator(seed: seed)
        furnished.fixtures.choices = SeededGenerator(seed: seed &* 1_000_003)
        let catalog = furnished.catalog
        let account = try furnished.fixtures.accountID(1)
        let topics = try (0..<3).map { try CatalogFixtures.topic("topic-\($0)", of: account) }
        var model: [OutboxRow] = []
        for step in 0..<300 {
            switch Int.random(in: 0..<10, using: &choices) {
            case 0..<3:
                let plan = (0..<Int.random(in: 1...4, using: &choices)).map { _ in
                    (
                        topic: topics[Int.random(in: 0..<3, using: &choices)],
                        sequence: UInt32.random(in: 0..<3, using: &choices),
                        notBefore: Int64.random(in: 0..<500, using: &choices)
                    )
                }
                model += try await furnished.announce(plan)
            case 3..<5:
                guard let index = model.indices.randomElement(using: &choices) else { continue }
                try await catalog.removeMessage(model.remove(at: index).id)
            default:
                guard let index = model.indices.randomElement(using: &choices) else { continue }
                model[index].state = Bool.random(using: &choices) ? .waiting : .dead
                model[index].attempts += 1
                model[index].notBefore = .now(Int64.random(in: 0..<500, using: &choices))
                try await catalog.updateMessage(model[index])
            }
            let now = Timestamp.now(Int64.random(in: 0..<500, using: &choices))
            let heads = Dictionary(grouping: model.filter { $0.state == .waiting }) { "\($0.job) \($0.topic)" }
                .compactMap { $0.value.min { ($0.sequence, $0.id) < ($1.sequence, $1.id) } }
                .sorted { ($0.notBefore, $0.id) < ($1.notBefore, $1.id) }
            var taken: [TopicARN: Int] = [:]
            let expected = heads.filter { head in
                guard head.notBefore <= now else { return false }
                taken[head.topic, default: 0] += 1
                return taken[head.topic, default: 0] <= 2
            }.prefix(5)
            let due = try await catalog.dueMessages(at: now, perTopic: 2, limit: 5)
            #expect(due == Array(expected), "seed \(seed), step \(step)")
            let next = heads.map(\.notBefore).first { $0 > now }
            #expect(try await catalog.nextMessage(after: now) == next, "seed \(seed), step \(step)")
        }
        for message in model { try await catalog.removeMessage(message.id) }
        #expect(try await catalog.totals().waitingMessages == 0)
    }
}
