// SPDX-License-Identifier: Apache-2.0

import Synchronization
import VaultModel

/// A clock that stands still until a test moves it; sleepers wake when their moment has come.
final class ManualClock: TimeSource {
    private struct Sleeper {
        let ticket: UInt64
        let due: Timestamp
        let continuation: CheckedContinuation<Void, any Error>
    }
    private struct State {
        var now: Timestamp
        var passed: Duration = .zero
        var run: String?
        var tickets: UInt64 = 0
        var sleepers: [Sleeper] = []
    }
    private let state: Mutex<State>

    init(_ start: Timestamp = Timestamp(milliseconds: 1_700_000_000_000)) { state = Mutex(State(now: start)) }

    func now() -> Timestamp { state.withLock { $0.now } }

    func monotonic() -> Duration { state.withLock { $0.passed } }

    var run: String? { state.withLock { $0.run } }

    /// The machine was started anew; the readings of its monotonic clock belong to this run.
    func beginRun(_ name: String?) { state.withLock { $0.run = name } }

    /// Time passes.
    func advance(by duration: Duration) { move(by: duration, passing: duration) }

    /// Somebody sets the wall clock: no time passes.
    func jump(by duration: Duration) { move(by: duration, passing: .zero) }

    private func move(by duration: Duration, passing: Duration) {
        let due = state.withLock { state -> [Sleeper] in
            state.now = state.now.advanced(by: duration)
            state.passed += passing
            let now = state.now
            let due = state.sleepers.filter { $0.due <= now }
            state.sleepers.removeAll { $0.due <= now }
            return due.sorted { $0.due < $1.due }
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        guard duration > .zero else { return }
        let ticket = state.withLock { state -> UInt64 in
            state.tickets += 1
            return state.tickets
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let isCancelled = state.withLock { state -> Bool in
                    if Task.isCancelled { return true }
                    let due = state.now.advanced(by: duration)
                    state.sleepers.append(Sleeper(ticket: ticket, due: due, continuation: continuation))
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let index = state.sleepers.firstIndex(where: { $0.ticket == ticket }) else { return nil }
                return state.sleepers.remove(at: index)
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }
}
