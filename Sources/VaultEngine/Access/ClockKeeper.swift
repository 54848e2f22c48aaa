// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Logging
import Storage
import Synchronization
public import VaultModel

/// What an operator is told about the clock that vault locks rest on.
public struct ClockStatus: Sendable, Hashable {
    /// The wall clock.
    public let now: Timestamp
    /// The highest time that was ever trusted; durable.
    public let highest: Timestamp
    /// The time that has come if only monotonic time has passed since.
    public let expected: Timestamp
    /// False while the wall clock is more than an hour ahead of ``expected``: then deletions in locked vaults wait for a confirmation.
    public let isTrusted: Bool
}

/// Holds the ``ClockGuard`` of this process and keeps its highest time durable, in the catalog's fact ``fact``.
final class ClockKeeper: Sendable {
    static let fact = "highest_time"

    private let catalog: any Catalog
    private let clock: any TimeSource
    private let logger: Logger
    private struct State {
        var guarding: ClockGuard?
        var wasAhead = false
    }
    private let state = Mutex(State())

    init(catalog: any Catalog, clock: any TimeSource, logger: Logger) {
        self.catalog = catalog
        self.clock = clock
        self.logger = logger
    }

    /// The time for what a vault lock governs, and whether the wall clock is believed.
    func reading() async throws -> (now: Timestamp, isTrusted: Bool) {
        let current = try await current()
        let (wall, monotonic) = (clock.now(), clock.monotonic())
        return (current.believed(wall: wall, monotonic: monotonic), !current.isAhead(wall: wall, monotonic: monotonic))
    }

    /// The date for an archive, a lock or a session that is made now, and the time by which a session ends: the later one of the wall clock
    /// and the time that has surely passed.
    func stamp() async throws -> Timestamp {
        try await current().stamp(wall: clock.now(), monotonic: clock.monotonic())
    }

    func status() async throws -> ClockStatus {
        let current = try await current()
        let (wall, monotonic) = (clock.now(), clock.monotonic())
        return ClockStatus(
            now: wall, highest: current.reached(wall: wall, monotonic: monotonic),
            expected: current.trusted(at: monotonic), isTrusted: !current.isAhead(wall: wall, monotonic: monotonic))
    }

    /// Trusts the wall clock from now on. Durable on return.
    func confirm(audit: AuditEntries) async throws -> ClockStatus {
        _ = try await current()
        let (wall, monotonic) = (clock.now(), clock.monotonic())
        try await catalog.setFact(Self.fact, String(wall.milliseconds), audit: audit)
        state.withLock { state in
            state.guarding?.confirm(wall: wall, monotonic: monotonic)
            state.wasAhead = false
        }
        logger.notice("the clock was confirmed by the operator", metadata: ["now": "\(wall.iso8601Seconds)"])
        return try await status()
    }

    /// Makes the highest time durable now and then, and says so when the clock runs ahead; until cancelled.
    func run() async {
        while !Task.isCancelled {
            await keep(always: false)
            // Cancelled while asleep: the loop's condition sees it.
            try? await clock.sleep(for: ClockGuard.storeInterval)
        }
        await keep(always: true)
    }

    /// - Parameter always: at an orderly stop, when no other round follows.
    func keep(always: Bool) async {
        do {
            _ = try await current()
            let (wall, monotonic) = (clock.now(), clock.monotonic())
            let (time, warns) = state.withLock { state -> (Timestamp?, Bool) in
                let isAhead = state.guarding?.isAhead(wall: wall, monotonic: monotonic) ?? false
                defer { state.wasAhead = isAhead }
                return (
                    state.guarding?.toStore(wall: wall, monotonic: monotonic, always: always),
                    isAhead && !state.wasAhead
                )
            }
            if warns {
                logger.warning(
                    "the clock runs ahead of the time that has passed: deletions in locked vaults wait until an operator confirms the clock",
                    metadata: ["now": "\(wall.iso8601Seconds)"])
            }
            if let time { try await catalog.setFact(Self.fact, String(time.milliseconds), audit: .none) }
        } catch {
            logger.warning(
                "the highest time could not be stored; it will be tried again", metadata: ["error": "\(error)"])
        }
    }

    /// The guard, read from the catalog at the first use.
    private func current() async throws -> ClockGuard {
        if let known = state.withLock({ $0.guarding }) { return known }
        let stored: Timestamp?
        if let text = try await catalog.fact(Self.fact) {
            // What cannot be read is older than any clock: the operator is asked.
            stored = Timestamp(milliseconds: Int64(text) ?? 0)
        } else {
            stored = nil
        }
        let (wall, monotonic) = (clock.now(), clock.monotonic())
        if stored == nil { try await catalog.setFact(Self.fact, String(wall.milliseconds), audit: .none) }
        return state.withLock { state in
            if let known = state.guarding { return known }
            let fresh = ClockGuard(stored: stored, wall: wall, monotonic: monotonic)
            state.guarding = fresh
            return fresh
        }
    }
}

extension VaultEngine {
    /// The operator says that the wall clock is right: lock-dependent deletions go on. Durable on return.
    public func confirmClock() async throws(VaultError) -> ClockStatus {
        try await vaultErrors("confirming the clock") {
            try await clockKeeper.confirm(
                audit: try audit(
                    AuditAct(
                        .clock, "clock:Confirm", by: .operator, on: "clock", ["now": .integer(clock.now().milliseconds)])))
        }
    }

    /// What the service believes about the wall clock; for health checks and operators.
    public func clockStatus() async throws(VaultError) -> ClockStatus {
        try await vaultErrors("reading the clock") { try await clockKeeper.status() }
    }
}
