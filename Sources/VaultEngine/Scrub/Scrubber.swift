// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Execution
import Logging
import SealedArchive
import Storage
import Synchronization
import VaultModel

/// Reads everything again and again, slowly, so that damage is found while there is another copy to repair it from.
///
///     never verified, newest first ──▶ a pass is due or asked for ──▶ archives ▶ records ▶ blobs ▶ keys ──▶ signed report
///               ▲ always first               (period)                  oldest verification first     │
///               └────────────────────────────────────────────────────────────────────────────────────┘
///
/// Every step is repeatable and its place durable: a restart goes on where it was, and begins only the archive anew that it was in.
/// It marks and reports; it removes nothing, ever.
struct Scrubber: Sendable {
    private static let page = 8
    static let listingPage = 500
    /// Archives that could not be judged (a passing trouble) are passed over until the next pass; more than this and the scrub waits.
    private static let maxSkipped = 500
    private static let maxEntered = 1000
    private static let keyInterval: Duration = .seconds(3600)

    let engine: VaultEngine
    let pace: ScrubPace
    private let memory = ScrubMemory()

    init(engine: VaultEngine, limits: ScrubConfiguration) {
        self.engine = engine
        let desk = engine.scrubDesk
        let (compute, budget) = (engine.compute, engine.budget)
        pace = ScrubPace(
            limits, clock: engine.clock, isBusy: { compute.unfinishedCount > 0 || budget.waiterCount > 0 },
            isPaused: { desk.isPaused })
    }

    func run() async {
        while !Task.isCancelled {
            do {
                try await engine.scrubDesk.load(from: engine.catalog)
                if try await step() { continue }
            } catch is CancellationError {
                return
            } catch {
                engine.logger.warning("a step of the scrub failed and will be repeated", metadata: ["error": "\(error)"])
            }
            await engine.scrubDesk.wake.wait(upTo: engine.configuration.maintenanceInterval, clock: engine.clock)
        }
    }

    /// One piece of work; false when there is nothing to do now.
    func step() async throws -> Bool {
        let desk = engine.scrubDesk
        guard !desk.isPaused else { return false }
        // First, so that its report counts what is verified from here on.
        if desk.current.phase == nil, try await beginPassIfDue() { return true }
        try await checkKeysIfDue()
        if try await verify(order: .newestUnverified, before: Timestamp(milliseconds: .max)) { return true }
        let current = desk.current
        guard let phase = current.phase, let started = current.started else { return false }
        switch phase {
        case .archives:
            if try await verify(order: .oldestVerified, before: started) { return true }
            try await go(to: .records)
        case .records:
            try await RecordWalk(engine: engine, pace: pace).run()
            try await go(to: .blobs)
        case .blobs:
            if try await BlobWalk(engine: engine, pace: pace).page() { return true }
            try await go(to: .keys)
        case .keys:
            try await checkKeys()
            try await endPass()
        }
        return true
    }

    /// For tests and for whoever must know now: until a whole pass that began after the call has ended.
    func pass() async throws {
        try await engine.scrubDesk.load(from: engine.catalog)
        try await engine.scrubDesk.change(in: engine.catalog) {
            $0.phase = nil
            $0.isRequested = true
        }
        while try await step() {
            let current = engine.scrubDesk.current
            if current.phase == nil, !current.isRequested { return }
        }
    }

    // MARK: passes

    private func beginPassIfDue() async throws -> Bool {
        let now = engine.clock.now()
        let current = engine.scrubDesk.current
        let isDue = current.started.map { now.since($0) >= pace.limits.period } ?? true
        guard current.isRequested || isDue else { return false }
        memory.state.withLock { $0.skipped = [] }
        let audit = try engine.audit(
            AuditAct(
                .scrub, "scrub:BeginPass", by: .service, on: "everything stored",
                ["pass": .integer(Int64(clamping: current.pass + 1))]))
        try await engine.scrubDesk.change(in: engine.catalog, audit: audit) {
            $0.pass += 1
            $0.isRequested = false
            $0.started = now
            $0.ended = nil
            $0.phase = .archives
            $0.cursor = nil
            $0.tally = ScrubTally()
        }
        engine.logger.notice("a scrub pass has begun", metadata: ["pass": "\(current.pass + 1)"])
        return true
    }

    private func go(to phase: ScrubDesk.Phase) async throws {
        try await engine.scrubDesk.change(in: engine.catalog) {
            $0.phase = phase
            $0.cursor = nil
        }
    }

    private func endPass() async throws {
        let now = engine.clock.now()
        let skipped = memory.state.withLock { $0.skipped.count }
        let desk = engine.scrubDesk
        var ended = desk.current
        ended.ended = now
        ended.phase = nil
        if skipped > 0 { ended.tally.find("archives", "\(skipped) could not be judged in this pass; they are tried again") }
        let report = try ScrubReport.make(ended, limits: pace.limits, engine: engine)
        try await engine.catalog.setFact(ScrubDesk.reportFact, report, audit: .none)
        let audit = try engine.audit(
            AuditAct(.scrub, "scrub:EndPass", by: .service, on: "everything stored", ended.tally.entry(of: ended.pass, report)))
        try await desk.change(in: engine.catalog, audit: audit) {
            $0.ended = now
            $0.phase = nil
            $0.tally = ended.tally
        }
        let tally = ended.tally
        engine.logger.log(
            level: tally.failures > 0 ? .error : .notice, "a scrub pass has ended",
            metadata: [
                "pass": "\(ended.pass)", "archives": "\(tally.archives)", "bytes": "\(tally.bytes)", "failures": "\(tally.failures)",
                "repairs": "\(tally.repairs)", "unnamed": "\(tally.unnamed)",
            ])
    }

    // MARK: archives

    /// Verifies a page; false when there is nothing of that order.
    private func verify(order: ScrubOrder, before: Timestamp) async throws -> Bool {
        let skipped = memory.state.withLock { $0.skipped }
        guard skipped.count < Self.maxSkipped else { return false }
        let page = try await engine.catalog.archivesForScrub(order: order, before: before, limit: Self.page + skipped.count)
            .filter { !skipped.contains($0.uid) }
        for archive in page {
            do {
                try await verify(archive)
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                memory.state.withLock { _ = $0.skipped.insert(archive.uid) }
                engine.logger.warning(
                    "an archive could not be judged now", metadata: ["archive": "\(archive.id)", "error": "\(error)"])
            }
        }
        return !page.isEmpty
    }

    private func verify(_ archive: ArchiveRow) async throws {
        guard let vault = try await engine.catalog.vault(archive.vault) else {
            throw VaultError(.internalFailure, "The catalog has an archive without its vault.")
        }
        var tally = ScrubTally()
        let outcome = try await ArchiveCheck(engine: engine, pace: pace).check(archive, in: vault, tally: &tally)
        let damage: String?
        switch outcome {
        case .overtaken: return
        case .good: damage = nil
        case .damaged(let reason): damage = reason
        }
        let now = max(engine.clock.now(), engine.scrubDesk.current.started ?? engine.clock.now())
        let marked = try await engine.catalog.recordVerifications(
            [ArchiveVerification(uid: archive.uid, generation: archive.generation, verified: now, damage: damage)],
            audit: try entry(of: archive, in: vault, damage: damage))
        engine.scrubDesk.countArchive(bytes: tally.bytes)
        tally.archives = 1
        if let damage {
            tally.failures += 1
            engine.scrubDesk.countFailure()
            tally.find(archive.id, damage)
            engine.logger.error(
                "an archive is damaged; restore its blobs from another copy (Docs/Operations/Scrub.md)",
                metadata: ["archive": "\(archive.id)", "vault": "\(vault.location.arn)", "reason": "\(damage)"])
        } else if marked.contains(archive.uid) {
            engine.logger.notice(
                "an archive that was damaged verifies again",
                metadata: ["archive": "\(archive.id)", "vault": "\(vault.location.arn)"])
        }
        engine.scrubDesk.add(tally)
    }

    /// An archive that was whole and is not any more, or the other way round; of a store that is going to pieces the first thousand, the
    /// end of the pass has the count.
    private func entry(of archive: ArchiveRow, in vault: VaultRow, damage: String?) throws -> AuditEntries {
        guard (archive.damage == nil) != (damage == nil), engine.scrubDesk.current.tally.failures < Self.maxEntered else { return .none }
        return try engine.audit(
            .vault(
                vault.location, .scrub, damage == nil ? "scrub:UnmarkArchive" : "scrub:MarkDamagedArchive", by: .service,
                ["archiveId": .string(archive.id), "reason": .optional(damage.map { String($0.prefix(512)) })]))
    }

    // MARK: keys

    private func checkKeysIfDue() async throws {
        let now = engine.clock.monotonic()
        guard memory.state.withLock({ $0.keysCheckedAt.map { now - $0 >= Self.keyInterval } ?? true }) else { return }
        try await checkKeys()
    }

    private func checkKeys() async throws {
        var tally = ScrubTally()
        try await KeyFileCheck(engine: engine).run(&tally)
        engine.scrubDesk.add(tally)
        let now = engine.clock.monotonic()
        memory.state.withLock { $0.keysCheckedAt = now }
    }
}

extension ScrubDesk {
    /// To the pass under way. Counts since the last durable place are lost in a crash, never counted twice for an archive that was recorded.
    func add(_ tally: ScrubTally) {
        progress.withLock { progress in
            progress.tally.bytes += tally.bytes
            progress.tally.archives += tally.archives
            progress.tally.blobs += tally.blobs
            progress.tally.failures += tally.failures
            progress.tally.repairs += tally.repairs
            progress.tally.unnamed += tally.unnamed
            progress.tally.adopted += tally.adopted
            for finding in tally.findings { progress.tally.find(finding.subject, finding.reason) }
        }
    }
}

extension ScrubTally {
    /// For the audit log.
    fileprivate func entry(of pass: UInt64, _ report: String) -> [String: JSONValue] {
        func number(_ value: UInt64) -> JSONValue { .integer(Int64(clamping: value)) }
        return [
            "pass": number(pass), "archives": number(archives), "bytes": number(bytes), "failures": number(failures),
            "repairs": number(repairs), "unnamed": number(unnamed), "adopted": number(adopted),
            "report": .string(SHA256Hasher.hash(Array(report.utf8)).hex),
        ]
    }
}

/// What one process's scrub remembers.
private final class ScrubMemory: Sendable {
    struct State {
        var skipped: Set<ArchiveUID> = []
        var keysCheckedAt: Duration?
    }
    let state = Mutex(State())
}
