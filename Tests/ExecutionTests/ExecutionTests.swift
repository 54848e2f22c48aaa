// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Execution
import Foundation
import Synchronization
import Testing

private struct Refusal: Error, Equatable { let number: Int }

/// Gives way to other tasks until `condition` holds; a bound instead of a sleep.
private func eventually(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<1_000_000 {
        if condition() { return true }
        await Task.yield()
    }
    return false
}

/// A value that tasks share.
private final class Shared<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>
    init(_ value: Value) { mutex = Mutex(value) }
    var value: Value { mutex.withLock { $0 } }
    @discardableResult func change<R: Sendable>(_ body: @Sendable (inout Value) -> R) -> R {
        mutex.withLock { body(&$0) }
    }
}

/// A door that opens once.
private final class Gate: Sendable {
    private let state = Mutex((open: false, waiting: [CheckedContinuation<Void, Never>]()))

    var waiterCount: Int { state.withLock { $0.waiting.count } }

    func pass() async {
        await withCheckedContinuation { continuation in
            let open = state.withLock { state in
                if !state.open { state.waiting.append(continuation) }
                return state.open
            }
            if open { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.open = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

@Suite(.timeLimit(.minutes(5))) struct BlockingPoolTests {
    @Test func returnsValuesAndThrowsExactlyWhatTheWorkThrows() async throws {
        let pool = BlockingPool(name: "test", threads: 2)
        #expect(await pool.run { 42 } == 42)
        await #expect(throws: Refusal(number: 7)) {
            try await pool.run { () throws(Refusal) -> Int in throw Refusal(number: 7) }
        }
        await pool.shutdown()
    }

    @Test func cancellationDoesNotStopWork() async throws {
        let pool = BlockingPool(name: "test", threads: 1)
        let ran = Shared(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask { await pool.run { ran.change { $0 += 1 } } }
            }
            group.cancelAll()
        }
        #expect(ran.value == 50)
        await pool.shutdown()
    }

    @Test func shutdownWaitsForQueuedWorkAndLateWorkStillRuns() async throws {
        let pool = BlockingPool(name: "test", threads: 1)
        let ran = Shared(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<100 { group.addTask { await pool.run { ran.change { $0 += 1 } } } }
            group.addTask { await pool.shutdown() }
        }
        await pool.shutdown()
        #expect(ran.value == 100)
        #expect(pool.unfinishedCount == 0)
        #expect(await pool.run { 3 } == 3)
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["COLDVAULT_MEASURE"] != nil, "a measurement, run by hand"))
    func hopCost() async throws {
        let pool = BlockingPool(name: "test", threads: 8)
        let clock = ContinuousClock()
        let serial = await clock.measure { for _ in 0..<20_000 { await pool.run {} } }
        print("one hop: \(serial / 20_000)")
        await pool.shutdown()
    }
}

@Suite(.timeLimit(.minutes(5))) struct MemoryBudgetTests {
    @Test func neverHandsOutMoreThanItHas() async throws {
        let budget = MemoryBudget(capacityBytes: 10, maxWaiters: 1000)
        let held = Shared((now: 0, most: 0))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<400 {
                let bytes = number % 11
                group.addTask {
                    try await budget.withBytes(bytes) {
                        held.change { held in
                            held.now += bytes
                            held.most = max(held.most, held.now)
                        }
                        await Task.yield()
                        held.change { $0.now -= bytes }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(held.value.most <= 10)
        #expect(budget.freeBytes == 10)
    }

    @Test func servesInOrderOfArrivalSoThatLargeRequestsDoNotStarve() async throws {
        let budget = MemoryBudget(capacityBytes: 10, maxWaiters: 10)
        let order = Shared([Int]())
        try await withThrowingTaskGroup(of: Void.self) { group in
            let first = try await budget.reserve(8)
            for (number, bytes) in [10, 1, 1].enumerated() {
                group.addTask { try await budget.withBytes(bytes) { order.change { $0.append(number) } } }
                // One byte would fit at once; it must queue behind the ten.
                #expect(await eventually { budget.waiterCount == number + 1 })
            }
            #expect(order.value == [])
            first.release()
            first.release()
            try await group.waitForAll()
        }
        #expect(order.value.first == 0)
        #expect(budget.freeBytes == 10)
    }

    @Test func refusesOneWaiterTooMany() async throws {
        let budget = MemoryBudget(capacityBytes: 1, maxWaiters: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let held = try await budget.reserve(1)
            group.addTask { try await budget.withBytes(1) {} }
            #expect(await eventually { budget.waiterCount == 1 })
            await #expect(throws: ExecutionError.tooManyWaiters) { try await budget.withBytes(1) {} }
            held.release()
            try await group.waitForAll()
        }
        #expect(budget.freeBytes == 1)
    }

    @Test func cancelledWaiterLeavesAndThoseBehindItMoveUp() async throws {
        let budget = MemoryBudget(capacityBytes: 10, maxWaiters: 10)
        let held = try await budget.reserve(5)
        let large = Task { try await budget.withBytes(10) {} }
        #expect(await eventually { budget.waiterCount == 1 })
        let small = Task { try await budget.withBytes(5) { true } }
        #expect(await eventually { budget.waiterCount == 2 })
        large.cancel()
        await #expect(throws: CancellationError.self) { try await large.value }
        #expect(try await small.value)
        held.release()
        #expect(budget.freeBytes == 10)
    }

    @Test func droppedReservationIsGivenBack() async throws {
        let budget = MemoryBudget(capacityBytes: 4, maxWaiters: 0)
        do { _ = try await budget.reserve(4) }
        #expect(budget.freeBytes == 4)
    }
}

@Suite(.timeLimit(.minutes(5))) struct SingleFlightTests {
    @Test func concurrentCallersShareOnePieceOfWork() async throws {
        let flight = SingleFlight<String, Int>(maxWaiters: 100)
        let made = Shared(0)
        let gate = Gate()
        let values = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    try await flight.value(for: "a") {
                        await gate.pass()
                        return made.change { made in
                            made += 1
                            return made
                        }
                    }
                }
            }
            group.addTask { try await flight.value(for: "b") { 1 } }
            #expect(await eventually { gate.waiterCount == 1 })
            for _ in 0..<1000 { await Task.yield() }
            gate.open()
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(values.count == 21)
        // Late comers may start a second flight; never one each.
        #expect(made.value < 20)
    }

    @Test func failureIsSharedButNotRemembered() async throws {
        let flight = SingleFlight<String, Int>(maxWaiters: 1)
        await #expect(throws: Refusal(number: 1)) { try await flight.value(for: "a") { throw Refusal(number: 1) } }
        #expect(try await flight.value(for: "a") { 2 } == 2)
    }

    @Test func cancelledLeaderHandsTheWorkToTheNextWaiter() async throws {
        let flight = SingleFlight<String, Int>(maxWaiters: 10)
        let gate = Gate()
        let leader = Task {
            try await flight.value(for: "a") {
                await gate.pass()
                try Task.checkCancellation()
                return 1
            }
        }
        #expect(await eventually { gate.waiterCount == 1 })
        let follower = Task { try await flight.value(for: "a") { 2 } }
        for _ in 0..<1000 { await Task.yield() }
        leader.cancel()
        gate.open()
        await #expect(throws: CancellationError.self) { try await leader.value }
        #expect(try await follower.value == 2)
    }
}

@Suite(.timeLimit(.minutes(5))) struct CompletionGuaranteedTests {
    @Test func bodyFinishesThoughTheCallerIsCancelled() async throws {
        let gate = Gate()
        let caller = Task {
            try await withCompletionGuaranteed { () async throws(Refusal) -> Bool in
                await gate.pass()
                return Task.isCancelled
            }
        }
        #expect(await eventually { gate.waiterCount == 1 })
        caller.cancel()
        gate.open()
        #expect(try await caller.value == false)
    }

    @Test func bodyRunsOnTheExecutorOfItsCaller() async {
        let executor = CountingExecutor()
        let jobs = await withTaskExecutor(executor) { () async -> Int in
            let before = executor.jobs.load(ordering: .relaxed)
            await withCompletionGuaranteed { () async in await Task.yield() }
            return executor.jobs.load(ordering: .relaxed) - before
        }
        // The body, its going on after the yield, and its caller's.
        #expect(jobs >= 3)
        let outside = executor.jobs.load(ordering: .relaxed)
        await withCompletionGuaranteed { () async in await Task.yield() }
        #expect(executor.jobs.load(ordering: .relaxed) == outside)
    }
}

/// Runs its jobs on threads of the system and counts them.
private final class CountingExecutor: TaskExecutor {
    let jobs = Atomic(0)

    func enqueue(_ job: consuming ExecutorJob) {
        jobs.add(1, ordering: .relaxed)
        let job = UnownedJob(job)
        DispatchQueue.global().async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
