// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Logging
import Storage
import Synchronization
import VaultModel

/// Gives room back, only for what a durable record names: expired jobs and outputs, idle uploads, deleted archives after their grace, doomed
/// blobs. Each step is repeatable: a crash anywhere leaves work for the next round, never a hole.
struct Reclaimer: Sendable {
    private static let batch = 200
    /// Rounds without a pause while there is a backlog.
    private static let maxRounds = 50

    let engine: VaultEngine
    private let kept = KeptUploads()

    init(engine: VaultEngine) { self.engine = engine }

    func run() async {
        while !Task.isCancelled {
            await round()
            // Cancelled while asleep: the loop's condition sees it.
            try? await engine.clock.sleep(for: engine.configuration.maintenanceInterval)
        }
    }

    /// Every step, each until it has nothing more to do or as often as is good in one go.
    func round() async {
        await engine.spaceReserve?.restore()
        // While catalog and blobs are of different histories, what one of them says is no reason to remove anything.
        let steps =
            engine.checkpoints.history.isConsistent
            ? [expireJobs, abortIdleUploads, purgeArchives, removeDoomed, forgetClosedUploads] : [expireJobs, forgetClosedUploads]
        for step in steps {
            do {
                var rounds = 0
                while try await engine.freeingRoom(step), rounds < Self.maxRounds, !Task.isCancelled { rounds += 1 }
            } catch is CancellationError {
                return
            } catch {
                engine.logger.warning("a clean-up step failed and will be repeated", metadata: ["error": "\(error)"])
            }
        }
    }

    /// True while there may be more.
    private func expireJobs() async throws -> Bool {
        try await engine.catalog.expireJobs(at: engine.clock.now(), limit: Self.batch) >= Self.batch
    }

    private func abortIdleUploads() async throws -> Bool {
        let before = engine.clock.now().advanced(by: .zero - engine.configuration.uploadExpiry)
        let idle = try await engine.catalog.idleUploads(before: before, limit: Self.batch)
        let done = try await each(of: idle) { upload in
            guard let vault = try await engine.catalog.vault(upload.vault) else { return }
            // An older catalog, restored, may take a completed upload for an open one: what a manifest names is never given up.
            guard try await !engine.isCompletedElsewhere(upload, in: vault) else {
                if kept.isFirst(upload.uid) {
                    engine.logger.error(
                        "an idle upload has a manifest that the catalog does not know; it is kept: was an older catalog restored?",
                        metadata: ["upload": "\(upload.id)", "vault": "\(vault.location.arn)"])
                }
                return
            }
            _ = try await engine.abort(upload, in: vault, by: .service)
            engine.logger.info("an idle upload was given up", metadata: ["upload": "\(upload.id)", "vault": "\(vault.location.arn)"])
        }
        // Those that were kept come again; only a later round looks at them.
        return done.count >= Self.batch && kept.isEmpty
    }

    /// The bytes first, the manifest with its wrapped data key among them, then the row that names them.
    private func purgeArchives() async throws -> Bool {
        let archives = try await engine.catalog.purgeableArchives(at: engine.clock.now(), limit: Self.batch)
        let done = try await each(of: archives) { archive in
            guard let vault = try await engine.catalog.vault(archive.vault) else { return }
            let purge = ArchivePurge(engine: engine)
            try await purge.purge(archive, in: vault)
            try await purge.forget(
                archive, in: vault,
                audit: try engine.audit(
                    .vault(vault.location, .archive, "archive:RemoveBytes", by: .service, ["archiveId": .string(archive.id)])))
            engine.logger.info("a deleted archive was purged", metadata: ["archive": "\(archive.id)"])
        }
        return done.count >= Self.batch
    }

    private func removeDoomed() async throws -> Bool {
        let doomed = try await engine.catalog.doomedBlobs(at: engine.clock.now(), limit: Self.batch)
        let done = try await each(of: doomed) { blob in
            guard let id = BlobID(blob.id) else { return }
            try await (blob.store == .cold ? engine.cold : engine.warm).delete(id)
        }
        guard !done.isEmpty else { return false }
        try await engine.catalog.forgetDoomed(done)
        return done.count >= Self.batch
    }

    /// Works on each item; one that fails is repeated in a later round and does not keep the others. Returns those that are done.
    private func each<Item>(of items: [Item], _ work: (Item) async throws -> Void) async throws -> [Item] {
        var done: [Item] = []
        for item in items {
            do {
                try await work(item)
                done.append(item)
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                engine.logger.warning("a clean-up step failed and will be repeated", metadata: ["error": "\(error)"])
            }
        }
        return done
    }

    private func forgetClosedUploads() async throws -> Bool {
        let before = engine.clock.now().advanced(by: .zero - engine.configuration.closedUploadMemory)
        try await engine.catalog.removeClosedUploads(before: before, limit: Self.batch)
        return false
    }
}

/// Which uploads have been reported as kept: each is worth one line in the log of a process.
private final class KeptUploads: Sendable {
    private static let maxRemembered = 10_000
    private let uids = Mutex<Set<UploadUID>>([])

    var isEmpty: Bool { uids.withLock { $0.isEmpty } }

    func isFirst(_ uid: UploadUID) -> Bool {
        uids.withLock { $0.count < Self.maxRemembered && $0.insert(uid).inserted }
    }
}
