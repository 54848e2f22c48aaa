// SPDX-License-Identifier: Apache-2.0

public import Storage
public import VaultModel

extension VaultEngine {
    /// Begins a pass now, or as soon as the one under way has ended, and goes on after a pause. Durable on return.
    public func startScrub() async throws(VaultError) -> ScrubStatus {
        try await changeScrub("scrub:Start") {
            $0.isPaused = false
            $0.isRequested = true
        }
    }

    /// The scrub rests, over restarts too, until it is started again. Durable on return.
    public func pauseScrub() async throws(VaultError) -> ScrubStatus { try await changeScrub("scrub:Pause") { $0.isPaused = true } }

    private func changeScrub(
        _ action: String, _ body: (inout ScrubDesk.Progress) -> Void
    ) async throws(VaultError) -> ScrubStatus {
        guard configuration.scrub != nil else { throw VaultError(.unavailable, "This service does not scrub.") }
        try await vaultErrors("changing the scrub") {
            try await scrubDesk.load(from: catalog)
            let audit = try audit(AuditAct(.scrub, action, by: .operator, on: "everything stored"))
            try await scrubDesk.change(in: catalog, audit: audit, body)
        }
        scrubDesk.wake.signal()
        return try await scrubStatus()
    }

    /// What the scrub does; costs two reads.
    public func scrubStatus() async throws(VaultError) -> ScrubStatus {
        try await vaultErrors("asking for the scrub") {
            try await scrubDesk.load(from: catalog)
            let current = scrubDesk.current
            let activity: ScrubStatus.Activity =
                if current.isPaused { .paused } else {
                    switch current.phase {
                    case .archives: .archives
                    case .records: .records
                    case .blobs: .blobs
                    case .keys: .keys
                    case nil: .waiting
                    }
                }
            return ScrubStatus(
                activity: activity, pass: current.pass, started: current.started, ended: current.ended, tally: current.tally,
                limits: configuration.scrub ?? .unlimited, oldestUnverified: try await catalog.oldestUnverified(),
                copies: cold.copyStates)
        }
    }

    /// The signed report of the last pass that has ended: a statement (Docs/Formats/Statement-v1.md); nil before the first.
    public func scrubReport() async throws(VaultError) -> String? {
        try await vaultErrors("reading the scrub's report") { try await catalog.fact(ScrubDesk.reportFact) }
    }

    /// Archives that did not verify, of one vault or of all, in order of their uids. The second value goes on from there.
    public func damagedArchives(
        in location: VaultLocation?, after: ArchiveUID?, limit: Int
    ) async throws(VaultError) -> (archives: [DamagedArchive], next: ArchiveUID?) {
        try await vaultErrors("listing damaged archives") {
            var uid: VaultUID?
            if let location { uid = try await activeVault(location).uid }
            let rows = try await catalog.damagedArchives(vault: uid, after: after, limit: limit)
            var archives: [DamagedArchive] = []
            for row in rows {
                guard let damage = row.damage, let vault = try await catalog.vault(row.vault) else { continue }
                archives.append(
                    DamagedArchive(
                        vault: vault.location, archiveID: row.id, size: row.size, found: damage.found, reason: damage.reason))
            }
            return (archives, rows.count == limit ? rows.last?.uid : nil)
        }
    }

    /// Blobs that nobody names, by name; those found only once are not told yet.
    public func unnamedBlobs(after: String?, limit: Int) async throws(VaultError) -> (blobs: [QuarantinedBlob], next: String?) {
        try await vaultErrors("listing unnamed blobs") {
            let from = after.map { QuarantinedBlob(store: .cold, blob: $0, found: Timestamp(milliseconds: 0), reason: "") }
            let rows = try await catalog.quarantine(after: from, limit: limit)
            return (rows.filter(BlobWalk.isConfirmed), rows.count == limit ? rows.last?.blob : nil)
        }
    }

    /// How the copies of the store are doing; empty where there is one only.
    public var copyStates: [BlobCopyState] { cold.copyStates }
}
