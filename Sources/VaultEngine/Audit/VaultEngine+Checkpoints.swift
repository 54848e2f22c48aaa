// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Logging
import NIOCore
import SealedArchive
public import Storage
import Synchronization
public import VaultModel

/// Signed checkpoints: made, kept, and compared at start.
///
///     fact checkpoint_pending ▶ blob service/checkpoint-n ▶ fact checkpoint ▶ older ones doomed
extension VaultEngine {
    /// The fact that holds the newest checkpoint of the catalog: generation and hash.
    public static let checkpointFact = "checkpoint"

    /// The generation of the newest checkpoint that a catalog knows; 0 before the first.
    public static func checkpointGeneration(of catalog: any Catalog) async throws(StorageError) -> UInt64 {
        CheckpointMark(try await catalog.fact(checkpointFact))?.generation ?? 0
    }

    /// Whether the catalog was made out of the blobs and takes their newest checkpoint for its own, once.
    static let takesUpFact = "checkpoint_takes_up"
    static let takesUp = "yes"
    private static let pendingFact = "checkpoint_pending"
    /// How many of the newest stay; of older ones the first of each month.
    static let keptCheckpoints = 16
    static let checkpointInterval: Duration = .seconds(600)

    /// Makes a checkpoint: the audit log is in segments up to its head, the statement durable among the blobs and known to the catalog.
    /// - Throws: `.unavailable` while catalog and blobs are of different histories: an operator decides first.
    @discardableResult
    public func checkpoint(_ reason: CheckpointReason) async throws(VaultError) -> Checkpoint {
        try await vaultErrors("making a checkpoint") {
            guard checkpoints.history.isConsistent else {
                throw VaultError(
                    .unavailable, "No checkpoint is made: \(checkpoints.history.text). Find out why, then: coldvault checkpoint confirm.")
            }
            return try await makeCheckpoint(reason, above: 0)
        }
    }

    private func makeCheckpoint(_ reason: CheckpointReason, above floor: UInt64) async throws -> Checkpoint {
        try await auditGate.exclusive(.checkpoint) {
            let last = CheckpointMark(try await catalog.fact(Self.checkpointFact)) ?? .none
            let generation = max(last.generation, floor) + 1
            try await recordAct(
                AuditAct(
                    .service, "service:Checkpoint", by: reason == .operator ? .operator : .service, on: "checkpoint \(generation)",
                    ["reason": .string(reason.rawValue)]))
            try await exportAudit()
            let head = try await catalog.auditHead()
            let body = Checkpoint.body(
                generation: generation, previous: last.hash, reason: reason, audit: head, totals: try await catalog.totals())
            let statement = try keyring.statement(.checkpoint, created: clock.now(), body: body)
            guard let made = Checkpoint(statement) else {
                throw VaultError(.internalFailure, "A checkpoint just made cannot be read.")
            }
            try await freeingRoom {
                try await catalog.setFact(Self.pendingFact, CheckpointMark(made).text, audit: .none)
                try await put(made)
                try await catalog.setFact(Self.checkpointFact, CheckpointMark(made).text, audit: .none)
            }
            checkpoints.state.withLock { $0.audited = head.sequence }
            try await doomOldCheckpoints()
            return made
        }
    }

    private func put(_ checkpoint: Checkpoint) async throws {
        let blob = try CheckpointShelf(cold: cold, keyring: keyring).sealed(checkpoint, random: random)
        let id = try blobID(BlobName.checkpoint(generation: checkpoint.generation).text)
        do throws(StorageError) {
            try await reserve.putAll([(id, ByteBuffer(bytes: blob))])
        } catch {
            // A statement of the same generation that never came into force: its successor takes the next number.
            guard error.code == .alreadyExists, try await readCheckpoint(checkpoint.generation).hash == checkpoint.hash else {
                throw error
            }
        }
    }

    func readCheckpoint(_ generation: UInt64) async throws -> Checkpoint {
        try await CheckpointShelf(cold: cold, keyring: keyring).read(generation)
    }

    /// The generations of all kept checkpoints, oldest first; of very many the newest thousand.
    private func checkpointGenerations() async throws -> [UInt64] {
        var generations: [UInt64] = []
        var after: BlobID?
        while true {
            let page = try await cold.list(prefix: BlobName.checkpointPrefix, after: after, limit: 1000)
            for entry in page {
                if case .checkpoint(let generation) = BlobName(entry.id.name) { generations.append(generation) }
            }
            generations.removeFirst(max(0, generations.count - 1000))
            guard page.count == 1000, let last = page.last else { return generations }
            after = last.id
        }
    }

    /// Every kept checkpoint that verifies, oldest first.
    func keptCheckpoints() async throws -> [Checkpoint] {
        var kept: [Checkpoint] = []
        for generation in try await checkpointGenerations() {
            do {
                kept.append(try await readCheckpoint(generation))
            } catch let error as VaultError where error.code == .integrity {
                logger.error("a checkpoint cannot be read", metadata: ["generation": "\(generation)", "error": "\(error)"])
            }
        }
        return kept
    }

    /// The one that has just left the newest ``keptCheckpoints`` goes unless it is the first of its month among the older ones.
    private func doomOldCheckpoints() async throws {
        let generations = try await checkpointGenerations()
        guard generations.count > Self.keptCheckpoints + 1 else { return }
        let older = Array(generations.dropLast(Self.keptCheckpoints).suffix(2))
        let (before, candidate) = (try await readCheckpoint(older[0]), try await readCheckpoint(older[1]))
        guard before.created.iso8601Seconds.prefix(7) == candidate.created.iso8601Seconds.prefix(7) else { return }
        try await doom([try blobID(BlobName.checkpoint(generation: candidate.generation).text)], of: .cold)
    }

    // MARK: At start

    /// Compares what the catalog and the blobs know, and says what does not fit. Changes nothing but what a crash left half done.
    func compareHistories() async throws {
        try await finishCheckpointMove()
        var catalogMark = CheckpointMark(try await catalog.fact(Self.checkpointFact)) ?? .none
        let pending = CheckpointMark(try await catalog.fact(Self.pendingFact))
        var blobMark = CheckpointMark.none
        if let newest = try await checkpointGenerations().last {
            do {
                blobMark = CheckpointMark(try await readCheckpoint(newest))
            } catch let error as VaultError where error.code == .integrity {
                logger.error("the newest checkpoint cannot be read", metadata: ["generation": "\(newest)", "error": "\(error)"])
                blobMark = CheckpointMark(generation: newest, hash: "unreadable")
            }
        }
        if try await catalog.fact(Self.takesUpFact) == Self.takesUp {
            try await catalog.setFact(Self.checkpointFact, blobMark.text, audit: .none)
            try await catalog.setFact(Self.takesUpFact, "no", audit: .none)
            catalogMark = blobMark
        }
        var history = CheckpointMark.judge(catalog: catalogMark, pending: pending, blobs: blobMark)
        if case .catalogRolledBack = history, try await CheckpointGap(cold: cold, keyring: keyring).isIdle(from: catalogMark, to: blobMark) {
            logger.notice(
                "an older catalog was put back that lacks nothing but checkpoints; it goes on",
                metadata: ["catalog": "\(catalogMark.generation)", "blobs": "\(blobMark.generation)"])
            history = .consistent
        }
        checkpoints.state.withLock { $0.history = history }
        guard history.isConsistent else {
            return logger.error(
                "\(history.text); nothing is removed until an operator has found out why and runs: coldvault checkpoint confirm")
        }
        if blobMark != catalogMark { try await catalog.setFact(Self.checkpointFact, blobMark.text, audit: .none) }
    }

    /// How catalog and blobs stood to each other when the service started, or since an operator confirmed.
    public func historyState() -> HistoryState { checkpoints.history }

    /// The kept checkpoints, oldest first.
    public func listCheckpoints() async throws(VaultError) -> [Checkpoint] {
        try await vaultErrors("listing checkpoints") { try await keptCheckpoints() }
    }

    /// The operator has seen that catalog and blobs are of different histories and goes on with both as they are. Durable on return.
    public func confirmHistory() async throws(VaultError) -> Checkpoint {
        try await vaultErrors("confirming the history") {
            let history = checkpoints.history
            let newest = try await checkpointGenerations().last ?? 0
            try await recordAct(
                AuditAct(.service, "service:ConfirmHistory", by: .operator, on: "catalog and blobs", ["state": .string(history.text)]))
            let made = try await makeCheckpoint(.operator, above: newest)
            checkpoints.state.withLock { $0.history = .consistent }
            logger.notice("the history was confirmed by the operator", metadata: ["checkpoint": "\(made.generation)"])
            return made
        }
    }

    // MARK: While running

    /// A checkpoint now, one every ten minutes when there is something to say, and one at the end.
    func runCheckpoints() async {
        await tryCheckpoint(.start)
        while !Task.isCancelled {
            // Cancelled while asleep: the loop's condition sees it.
            try? await clock.sleep(for: Self.checkpointInterval)
            guard !Task.isCancelled else { break }
            await tryCheckpoint(.interval)
        }
    }

    /// - Parameter reason: `interval` does nothing when the audit log has not grown.
    func tryCheckpoint(_ reason: CheckpointReason) async {
        guard checkpoints.history.isConsistent else { return }
        do {
            let audited = checkpoints.state.withLock { $0.audited }
            if reason == .interval, try await catalog.auditHead().sequence == audited { return }
            _ = try await checkpoint(reason)
        } catch {
            logger.error(
                "no checkpoint could be made; it will be tried again", metadata: ["reason": "\(reason.rawValue)", "error": "\(error)"])
        }
    }
}
