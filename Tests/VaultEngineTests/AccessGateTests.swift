// SPDX-License-Identifier: Apache-2.0

import Execution
import Synchronization
import Testing
import VaultModel

@testable import VaultEngine

/// Who may hold a vault beside whom.
@Suite struct AccessGateTests {
    private let vault = TestVault.location("v")

    /// A door that opens once.
    private final class Door: Sendable {
        private let stream: AsyncStream<Void>
        private let continuation: AsyncStream<Void>.Continuation
        init() { (stream, continuation) = AsyncStream.makeStream() }
        func open() { continuation.finish() }
        func pass() async { for await _ in stream {} }
    }

    /// Counts who is inside.
    private final class Inside: Sendable {
        private let counts = Mutex((shared: 0, alone: 0))
        func visit(alone: Bool) async {
            let isRight = counts.withLock { counts in
                if alone { counts.alone += 1 } else { counts.shared += 1 }
                return counts.alone == 0 || (counts.alone == 1 && counts.shared == 0)
            }
            #expect(isRight)
            await Task.yield()
            counts.withLock { counts in
                if alone { counts.alone -= 1 } else { counts.shared -= 1 }
            }
        }
    }

    private func until(_ condition: () -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(30)
        while !condition() {
            try #require(ContinuousClock.now < end, "it did not happen")
            await Task.yield()
        }
    }

    @Test func sharersAreInsideTogether() async throws {
        let gate = VaultGate(maxWaiters: 10)
        let (first, second) = (Door(), Door())
        async let one: Void = gate.shared(vault) {
            second.open()
            await first.pass()
        }
        async let two: Void = gate.shared(vault) {
            first.open()
            await second.pass()
        }
        _ = try await (one, two)
        #expect(gate.heldCount == 0)
    }

    @Test func whoHasItAloneIsAlone() async throws {
        let gate = VaultGate(maxWaiters: 200)
        let inside = Inside()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                group.addTask {
                    if number % 3 == 0 {
                        try await gate.exclusive(vault) { await inside.visit(alone: true) }
                    } else {
                        try await gate.shared(vault) { await inside.visit(alone: false) }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(gate.heldCount == 0 && gate.waiterCount == 0)
    }

    @Test func nobodyOvertakesWhoWaitsToBeAlone() async throws {
        let gate = VaultGate(maxWaiters: 10)
        let (door, diary) = (Door(), Diary())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await gate.shared(vault) {
                    await door.pass()
                    diary.note("first")
                }
            }
            try await until { gate.heldCount == 1 }
            group.addTask { try await gate.exclusive(vault) { diary.note("alone") } }
            try await until { gate.waiterCount == 1 }
            group.addTask { try await gate.shared(vault) { diary.note("last") } }
            try await until { gate.waiterCount == 2 }
            #expect(diary.all.isEmpty)
            door.open()
            try await group.waitForAll()
        }
        #expect(diary.all == ["first", "alone", "last"])
    }

    @Test func otherVaultsDoNotWait() async throws {
        let gate = VaultGate(maxWaiters: 10)
        try await gate.exclusive(vault) {
            try await gate.exclusive(TestVault.location("other")) { #expect(gate.heldCount == 2) }
        }
        #expect(gate.heldCount == 0)
    }

    @Test func aCancelledWaiterLeavesAndLetsOthersPass() async throws {
        let gate = VaultGate(maxWaiters: 10)
        let (door, diary) = (Door(), Diary())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await gate.shared(vault) { await door.pass() } }
            try await until { gate.heldCount == 1 }
            try await withThrowingTaskGroup(of: Void.self) { inner in
                inner.addTask {
                    await #expect(throws: CancellationError.self) {
                        try await gate.exclusive(vault) { diary.note("never") }
                    }
                }
                try await until { gate.waiterCount == 1 }
                group.addTask { try await gate.shared(vault) { diary.note("passed") } }
                try await until { gate.waiterCount == 2 }
                inner.cancelAll()
                try await inner.waitForAll()
            }
            // The first is still inside: the sharer behind the cancelled one did not have to wait for it.
            try await until { diary.all == ["passed"] }
            door.open()
            try await group.waitForAll()
        }
        #expect(gate.heldCount == 0 && gate.waiterCount == 0)
    }

    @Test func theQueueIsBounded() async throws {
        let gate = VaultGate(maxWaiters: 2)
        let door = Door()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await gate.exclusive(vault) { await door.pass() } }
            try await until { gate.heldCount == 1 }
            for _ in 0..<2 { group.addTask { try await gate.shared(vault) {} } }
            try await until { gate.waiterCount == 2 }
            await #expect(throws: ExecutionError.tooManyWaiters) { try await gate.shared(vault) {} }
            door.open()
            try await group.waitForAll()
        }
    }

    @Test func anErrorInsideOpensTheGateAgain() async throws {
        struct Failed: Error {}
        let gate = VaultGate(maxWaiters: 2)
        await #expect(throws: Failed.self) { try await gate.exclusive(vault) { throw Failed() } }
        try await gate.exclusive(vault) {}
        #expect(gate.heldCount == 0)
    }
}
