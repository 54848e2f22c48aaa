// SPDX-License-Identifier: Apache-2.0

import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// When messages are tried and when they are given up: the pure part.
@Suite struct NotificationQueueTests {
    private static let start = Timestamp(milliseconds: 1_700_000_000_000)

    private func topic(_ name: String) throws -> TopicARN {
        try #require(TopicARN("arn:aws:sns:us-east-1:123456789012:\(name)"))
    }

    private func row(_ topic: TopicARN, _ number: UInt64, created: Timestamp = start, attempts: UInt32 = 0) -> OutboxRow
    {
        OutboxRow(
            id: MessageUID(words: UIDWords(high: 0, low: number)), topic: topic, account: topic.account,
            job: JobUID(words: UIDWords(high: 0, low: number)), sequence: 0, created: created, attempts: attempts,
            notBefore: created,
            sealed: SealedColumnValue(keyVersion: 1, bytes: []))
    }

    @Test func pausesDoubleFromOneSecondToOneHourAndJitterTakesUpToAHalf() {
        let pauses = (1...14).map { DeliverySchedule.pause(after: UInt32($0), jitter: 0) }
        #expect(pauses.prefix(5) == [.seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(16)])
        #expect(pauses.last == .seconds(3600))
        #expect(DeliverySchedule.pause(after: .max, jitter: 0) == .seconds(3600))
        for failures in UInt32(1)...40 {
            for jitter in [UInt8(0), 1, 128, 255] {
                let pause = DeliverySchedule.pause(after: failures, jitter: jitter)
                let full = DeliverySchedule.pause(after: failures, jitter: 0)
                #expect(pause <= full && pause * 2 >= full && pause >= .milliseconds(500))
            }
        }
    }

    @Test func aMessageDiesOnlyWhenThreeDaysAndEightAttemptsHavePassed() throws {
        let topic = try topic("t")
        let late = Self.start.advanced(by: .seconds(3 * 24 * 3600))
        func after(_ attempts: UInt32, at now: Timestamp) -> OutboxRow.State {
            DeliverySchedule.afterFailure(
                row(topic, 1, attempts: attempts), reason: "x", isTransient: true, at: now, jitter: 0
            ).state
        }
        #expect(after(200, at: late.advanced(by: .milliseconds(-1))) == .waiting)
        #expect(after(6, at: late) == .waiting)
        #expect(after(7, at: late) == .dead)
    }

    @Test func aRefusalKillsAtTheFifthAttempt() throws {
        let topic = try topic("t")
        var message = row(topic, 1)
        for attempt in UInt32(1)...5 {
            message = DeliverySchedule.afterFailure(
                message, reason: "no", isTransient: false, at: Self.start, jitter: 0)
            #expect(message.attempts == attempt)
            #expect(message.state == (attempt == 5 ? .dead : .waiting))
        }
        #expect(message.lastFailure == "no")
    }

    /// Time from the event to the end, at the longest and at the shortest pauses.
    @Test(arguments: [UInt8(0), 255]) func aDeadTargetIsTriedForThreeDays(jitter: UInt8) throws {
        var message = row(try topic("t"), 1)
        var now = Self.start
        while message.state == .waiting {
            now = message.notBefore
            message = DeliverySchedule.afterFailure(message, reason: "x", isTransient: true, at: now, jitter: jitter)
        }
        let days = now.since(Self.start) / .seconds(24 * 3600)
        #expect((3.0...3.1).contains(days), "\(days)")
        #expect((80...170).contains(message.attempts), "\(message.attempts)")
    }

    @Test func aTopicHasOneDeliveryAtATimeTheLongestDueFirst() throws {
        var queue = DeliveryQueue()
        let topic = try topic("t")
        let page = [row(topic, 1), row(topic, 2)]
        queue.beginLook()
        #expect(queue.steps(for: page, isFull: false, at: Self.start) == [.deliver(page[0])])
        queue.beginLook()
        #expect(queue.steps(for: page, isFull: false, at: Self.start) == [])
        queue.ended(topic, .taken, at: Self.start)
        #expect(
            queue.steps(for: page, isFull: false, at: Self.start) == [],
            "a page read before the end may hold what has gone")
        queue.beginLook()
        #expect(queue.steps(for: [page[1]], isFull: false, at: Self.start) == [.deliver(page[1])])
    }

    @Test func deadTopicsHoweverManyLeaveHalfOfTheSlots() throws {
        var queue = DeliveryQueue()
        let dead = try (0..<100).map { try topic("dead\($0)") }
        for topic in dead { queue.ended(topic, .failed(reason: "x", pause: .seconds(1)), at: Self.start) }
        let now = Self.start.advanced(by: .seconds(2))
        queue.beginLook()
        let probes = queue.steps(for: dead.enumerated().map { row($1, UInt64($0)) }, isFull: false, at: now)
        #expect(probes.count == DeliveryQueue.probes)
        queue.beginLook()
        let alive = try (0..<100).map { try topic("alive\($0)") }
        let deliveries = queue.steps(for: alive.enumerated().map { row($1, 1000 + UInt64($0)) }, isFull: false, at: now)
        #expect(deliveries.count == DeliveryQueue.slots - DeliveryQueue.probes)
        #expect(queue.runningCount == DeliveryQueue.slots)
    }

    @Test func aTopicThatFailedIsLeftAloneForItsPauseAndARefusalPausesNobody() throws {
        var queue = DeliveryQueue()
        let (failed, refused) = (try topic("failed"), try topic("refused"))
        queue.ended(failed, .failed(reason: "x", pause: .seconds(10)), at: Self.start)
        queue.ended(refused, .refused, at: Self.start)
        let page = [row(failed, 1), row(refused, 2)]
        queue.beginLook()
        #expect(queue.steps(for: page, isFull: false, at: Self.start.advanced(by: .seconds(9))) == [.deliver(page[1])])
        #expect(queue.nextProbe(after: Self.start) == Self.start.advanced(by: .seconds(10)))
        queue.beginLook()
        #expect(queue.steps(for: page, isFull: false, at: Self.start.advanced(by: .seconds(10))) == [.deliver(page[0])])
    }

    @Test func aClockThatWasSetBackDoesNotProlongAPause() throws {
        var queue = DeliveryQueue()
        let topic = try topic("t")
        queue.ended(topic, .failed(reason: "x", pause: .seconds(10)), at: Self.start)
        queue.beginLook()
        let page = [row(topic, 1)]
        #expect(
            queue.steps(for: page, isFull: false, at: Self.start.advanced(by: .seconds(-86_400))) == [.deliver(page[0])]
        )
    }

    @Test func onAFullPagePausedRowsMakeRoom() throws {
        var queue = DeliveryQueue()
        let topic = try topic("t")
        queue.ended(topic, .failed(reason: "x", pause: .seconds(10)), at: Self.start)
        let page = [row(topic, 1), row(topic, 2)]
        queue.beginLook()
        let until = Self.start.advanced(by: .seconds(10))
        #expect(
            queue.steps(for: page, isFull: true, at: Self.start)
                == page.map { DeliveryQueue.Step.postpone($0, until: until) })
    }

    @Test func theBacklogOfATargetDeadForLongIsGivenUpWithoutTryingEach() throws {
        var queue = DeliveryQueue()
        let topic = try topic("t")
        let now = Self.start.advanced(by: .seconds(4 * 24 * 3600))
        let (old, young) = (row(topic, 1), row(topic, 2, created: now))
        for _ in 0..<7 { queue.ended(topic, .failed(reason: "x", pause: .seconds(10)), at: now) }
        queue.beginLook()
        #expect(queue.steps(for: [old, young], isFull: false, at: now) == [], "the target may have been down with us")
        queue.ended(topic, .failed(reason: "x", pause: .seconds(10)), at: now)
        queue.beginLook()
        let steps = queue.steps(for: [old, young], isFull: false, at: now)
        #expect(steps.count == 1)
        guard case .giveUp(old, let reason)? = steps.first else {
            Issue.record("\(steps)")
            return
        }
        #expect(reason.contains("x"))
        queue.forgive(topic)
        queue.beginLook()
        #expect(queue.steps(for: [old], isFull: false, at: now) == [.deliver(old)])
    }

    /// Random pages and outcomes: the invariants of ``DeliveryQueue`` hold at every step.
    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6, 7, 8]) func theInvariantsHoldOverRandomHistories(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var queue = DeliveryQueue()
        let topics = try (0..<20).map { try topic("t\($0)") }
        var running: [TopicARN] = []
        var failing: Set<TopicARN> = []
        var now = Self.start
        for round in 0..<2000 {
            now = now.advanced(by: .milliseconds(Int64.random(in: 0...2000, using: &random)))
            queue.beginLook()
            let page = (0..<Int.random(in: 0...40, using: &random)).map { number in
                row(topics[Int.random(in: 0..<20, using: &random)], UInt64(number), created: now)
            }
            let before = running
            for case .deliver(let message) in queue.steps(for: page, isFull: Bool.random(using: &random), at: now) {
                #expect(!running.contains(message.topic), "seed \(seed), round \(round)")
                #expect(message == page.first { $0.topic == message.topic }, "seed \(seed), round \(round)")
                running.append(message.topic)
            }
            #expect(running.count <= DeliveryQueue.slots)
            let probesBegun = running.dropFirst(before.count).count { failing.contains($0) }
            #expect(probesBegun <= DeliveryQueue.probes, "seed \(seed), round \(round)")
            while let topic = running.randomElement(using: &random), Bool.random(using: &random) {
                running.removeAll { $0 == topic }
                switch Int.random(in: 0..<3, using: &random) {
                case 0:
                    queue.ended(topic, .taken, at: now)
                    failing.remove(topic)
                case 1:
                    queue.ended(
                        topic, .failed(reason: "x", pause: .seconds(Int64.random(in: 1...60, using: &random))), at: now)
                    failing.insert(topic)
                default: queue.ended(topic, .unknown, at: now)
                }
            }
            #expect(queue.runningCount == running.count)
        }
    }

    @Test func messageIDsSortByTime() {
        let random = SeededRandom(seed: 7)
        let ids = (0..<100).map { MessageUID(at: Self.start.advanced(by: .milliseconds($0)), random: random) }
        #expect(ids == ids.sorted())
        #expect(Set(ids).count == 100)
    }
}
