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
    /// The time that has surely come: what was counted by the monotonic clock since the clock was last confirmed.
    public let expected: Timestamp
    /// False while the wall clock is more than an hour ahead of ``expected``: then deletions in locked vaults wait for a confirmation.
    public let isTrusted: Bool
}

/// What the clock says where a policy or a lock depends on it.
struct ClockReading: Sendable, Equatable {
    /// The latest time that is believed.
    let now: Timestamp
    let wall: Timestamp
    /// False while the wall clock is further ahead than is believed.
    let isTrusted: Bool

    /// The times that must all agree to what is to be allowed. While the clock is in doubt it may be right or not: what ends by the wall
    /// clock has ended, and what begins by it has not begun.
    var judged: [Timestamp] { isTrusted ? [now] : [now, wall] }
}

/// Holds the ``ClockGuard`` of this process and keeps what it counts durable, as facts of the catalog (``ClockRecord``).
final class ClockKeeper: Sendable {
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
    func reading() async throws -> ClockReading {
        let current = try await current()
        let (wall, monotonic) = (clock.now(), clock.monotonic())
        return ClockReading(
            now: current.believed(wall: wall, monotonic: monotonic), wall: wall,
            isTrusted: !current.isAhead(wall: wall, monotonic: monotonic))
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
            expected: current.counted(at: monotonic), isTrusted: !current.isAhead(wall: wall, monotonic: monotonic))
    }

    /// Trusts the wall clock from now on. Durable on return.
    func confirm(audit: AuditEntries) async throws -> ClockStatus {
        _ = try await current()
        let (wall, monotonic) = (clock.now(), clock.monotonic())
        try await store(ClockRecord(counted: wall, highest: wall, run: clock.run, monotonic: monotonic), audit: audit)
        state.withLock { state in
            state.guarding?.confirm(wall: wall, monotonic: monotonic)
            state.wasAhead = false
        }
        logger.notice("the clock was confirmed by the operator", metadata: ["now": "\(wall.iso8601Seconds)"])
        return try await status()
    }

    /// Makes what was counted durable now and then, and says so when the clock runs ahead; until cancelled.
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
            let (record, warns) = state.withLock { state -> (ClockRecord?, Bool) in
                let isAhead = state.guarding?.isAhead(wall: wall, monotonic: monotonic) ?? false
                defer { state.wasAhead = isAhead }
                return (
                    state.guarding?.toStore(wall: wall, monotonic: monotonic, run: clock.run, always: always),
                    isAhead && !state.wasAhead
                )
            }
            if warns {
                logger.warning(
                    "the clock runs ahead of the time that has passed: deletions in locked vaults wait until an operator confirms the clock",
                    metadata: ["now": "\(wall.iso8601Seconds)"])
            }
            if let record { try await store(record) }
        } catch {
            logger.warning(
                "the highest time could not be stored; it will be tried again", metadata: ["error": "\(error)"])
        }
    }

    /// The guard, read from the catalog at the first use.
    private func current() async throws -> ClockGuard {
        if let known = state.withLock({ $0.guarding }) { return known }
        let stored = ClockRecord(
            highestText: try await catalog.fact(ClockRecord.highestFact),
            countedText: try await catalog.fact(ClockRecord.countedFact))
        let (wall, monotonic) = (clock.now(), clock.monotonic())
        if stored == nil {
            try await store(ClockRecord(counted: wall, highest: wall, run: clock.run, monotonic: monotonic))
        }
        return state.withLock { state in
            if let known = state.guarding { return known }
            let fresh = ClockGuard(stored: stored, wall: wall, monotonic: monotonic, run: clock.run)
            state.guarding = fresh
            return fresh
        }
    }

    /// Two facts, either of which may be the older one after a crash: neither says more than was true.
    private func store(_ record: ClockRecord, audit: AuditEntries = .none) async throws {
        try await catalog.setFact(ClockRecord.highestFact, record.highestText, audit: audit)
        try await catalog.setFact(ClockRecord.countedFact, record.countedText, audit: .none)
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
