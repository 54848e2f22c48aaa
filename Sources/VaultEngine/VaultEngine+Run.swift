// SPDX-License-Identifier: Apache-2.0

import Execution
import Logging
import SealedArchive
public import Storage
import Synchronization
public import VaultModel

extension VaultEngine {
    /// What must be so before the first request is served: the clock is judged, and a catalog that is older than the durable records has
    /// taken up what they say, locks above all. ``run()`` does it, too, unless it was done.
    public func prepare() async throws(VaultError) {
        guard !isPrepared.load(ordering: .acquiring) else { return }
        try await vaultErrors("preparing the engine") {
            // What a crash left of a backup in the making.
            try await backupPlace?.removeCopy()
            _ = try await freeingRoom { try await clockKeeper.reading() }
            try await compareHistories()
            try await freeingRoom { try await settleAnnouncedRecords() }
            try await continueAudit()
            try await enterWhatWasDoneOffline()
            try await adoptNewerRecords()
            try await adoptNewerAccounts()
            try await testKeys()
        }
        isPrepared.store(true, ordering: .releasing)
    }

    /// Finishes what a crash interrupted, then runs the worker and the reclaimer until cancelled. Call once.
    public func run() async throws(VaultError) {
        try await prepare()
        let epoch: UInt64 = try await vaultErrors("starting the engine") {
            let epoch = try await freeingRoom { try await catalog.beginEpoch() }
            try await finishInterrupted()
            try await sweepStaging()
            try await freeingRoom { try await recordAct(AuditAct(.service, "service:Start", by: .service, on: "service")) }
            return epoch
        }
        await withDiscardingTaskGroup { group in
            group.addTask { await JobRunner(engine: self, epoch: epoch).run() }
            group.addTask { await Reclaimer(engine: self).run() }
            group.addTask { await self.clockKeeper.run() }
            group.addTask { await self.denialDesk.run(for: self) }
            group.addTask { await self.runCheckpoints() }
            group.addTask { await KeyMaintenance(engine: self).run() }
            if let scrub = self.configuration.scrub { group.addTask { await Scrubber(engine: self, limits: scrub).run() } }
            if let deliverer = MessageDeliverer(engine: self) { group.addTask { await deliverer.run() } }
            if let scheduler = BackupScheduler(engine: self) { group.addTask { await scheduler.run() } }
        }
        // Everybody has ended: the last word, which outlives the cancellation that brought us here.
        await withCompletionGuaranteed { [self] in await tryCheckpoint(.stop) }
    }

    /// Vault deletions and key rotations that were begun and not ended. What cannot be finished waits for the next start: one damaged
    /// vault or account is no reason to serve nobody.
    private func finishInterrupted() async throws {
        try await forEachVault { vault in
            guard vault.state == .deleting else { return }
            do {
                try await freeingRoom { try await finishDeletion(of: vault) }
            } catch {
                guard !Task.isCancelled else { throw error }
                logger.error(
                    "an interrupted deletion of a vault could not be finished",
                    metadata: ["vault": "\(vault.location.arn)", "error": "\(error)"])
            }
        }
        let (report, failure) = try await rewrapAll()
        if failure != nil {
            logger.error("an interrupted key rotation could not be finished; older master keys stay in use")
        }
        if report.rewrappedVaultKeys + report.resealedAccounts > 0 {
            logger.notice(
                "an interrupted key rotation was finished",
                metadata: ["vaultKeys": "\(report.rewrappedVaultKeys)", "accounts": "\(report.resealedAccounts)"])
        }
    }

    /// Staged objects that no row names: their job's end was never committed. Only outputs live in the warm store, and they can be prepared
    /// again; so here, and only here, what the catalog does not know goes. Runs before any job does.
    private func sweepStaging() async throws {
        var after: BlobID?
        var swept = 0
        while true {
            let page = try await warm.list(prefix: BlobName.stagedPrefix, after: after, limit: 1000)
            for entry in page {
                guard case .staged(let bytes) = BlobName(entry.id.name), let uid = StagedUID(bytes: bytes),
                    try await catalog.staged(uid) == nil
                else { continue }
                try await warm.delete(entry.id)
                swept += 1
            }
            guard page.count == 1000 else { break }
            after = page.last?.id
        }
        if swept > 0 { logger.notice("unfinished outputs were removed", metadata: ["count": "\(swept)"]) }
    }

    /// Every vault, page by page.
    func forEachVault(_ body: (VaultRow) async throws -> Void) async throws {
        var after: VaultUID?
        while true {
            let page = try await catalog.vaults(after: after, limit: 200)
            for vault in page { try await body(vault) }
            guard page.count == 200, let last = page.last else { return }
            after = last.uid
        }
    }

    /// For health checks: proves that the catalog answers; costs one read.
    public func ping() async throws(VaultError) {
        try await vaultErrors("asking the catalog") { _ = try await catalog.fact("health") }
    }

    /// For metrics: walks indexes, so ask once a minute, not per request.
    public func totals() async throws(VaultError) -> CatalogTotals {
        try await vaultErrors("counting") { try await catalog.totals() }
    }

    /// For health checks and metrics: free room for archives, the reserve not counted.
    public func availableBytes() async throws(VaultError) -> UInt64 {
        try await vaultErrors("measuring the store") { try await cold.availableBytes() }
    }
}
