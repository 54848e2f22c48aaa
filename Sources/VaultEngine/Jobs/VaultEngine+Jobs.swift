// SPDX-License-Identifier: Apache-2.0

import Cryptography
import SealedArchive
import Storage
public import VaultModel

extension VaultEngine {
    /// Queues a job; durable on return. The result is the job id. Throws `.policyEnforced` when the account's data
    /// retrieval policy does not allow it.
    public func initiateJob(
        _ location: VaultLocation, _ request: JobRequest, by caller: Caller? = nil
    ) async throws(VaultError) -> String {
        try await vaultErrors("queueing a job") {
            let vault = try await activeVault(location)
            let uid = JobUID(random: random)
            let id = keyring.identifiers.mint(
                .job, uid: uid.words, vault: vault.uid, account: location.account, random: random)
            var column = JobColumn()
            column.description = request.description
            column.snsTopic = request.snsTopic
            let now = clock.now()
            let tier = request.tier ?? .standard
            let start = now.advanced(by: configuration.retrievalDelays[tier])
            let job: JobRow
            switch request.action {
            case .archive(let archiveID, let range):
                let archive = try await retrievableArchive(archiveID, in: vault)
                let facts = try keyring.open(archive.sealed, as: ArchiveColumn.self, uid: archive.uid.bytes, of: vault)
                guard let whole = ByteRange.whole(size: archive.size) else {
                    throw VaultError(.integrity, "The catalog holds an empty archive: \(archive.id)")
                }
                let wanted = range ?? whole
                guard wanted.isMegabyteAligned(size: archive.size) else { throw Self.badRange(wanted, of: archive) }
                column.archiveTreeHash = facts.treeHash
                column.archiveDescription = facts.description.isEmpty ? nil : facts.description
                if wanted == whole { column.rangeTreeHash = facts.treeHash }
                job = JobRow(
                    uid: uid, id: id.text, vault: vault.uid, account: location.account, action: .archiveRetrieval,
                    tier: tier.rawValue, state: .queued, created: now, notBefore: start,
                    deadline: now.advanced(by: tier.deadline),
                    archive: archive.uid, archiveID: archive.id, archiveSize: archive.size, range: wanted,
                    sealed: try seal(column, job: uid, in: vault))
            case .inventory(let parameters):
                if let marker = parameters.marker, InventoryMarker(marker) == nil { throw Self.badMarker(marker) }
                column.inventory = parameters
                job = JobRow(
                    uid: uid, id: id.text, vault: vault.uid, account: location.account, action: .inventoryRetrieval,
                    tier: request.tier?.rawValue, state: .queued, created: now, notBefore: start,
                    deadline: now.advanced(by: tier.deadline), archive: nil, archiveID: nil, archiveSize: nil,
                    range: nil,
                    sealed: try seal(column, job: uid, in: vault))
            }
            try await admit(job, column, tier, in: vault, by: AuditActor(caller))
            _ = scheduler.time(atLeast: now)
            wake.signal()
            return id.text
        }
    }

    private static func badRange(_ range: ByteRange, of archive: ArchiveRow) -> VaultError {
        VaultError(
            .invalidParameter,
            "Invalid RetrievalByteRange: \(range). It must begin at a multiple of 1048576 and end one byte "
                + "before such a multiple or at the last byte of the archive, which is \(archive.size - 1).")
    }

    private func retrievableArchive(_ archiveID: String, in vault: VaultRow) async throws -> ArchiveRow {
        guard let id = keyring.identifiers.parse(archiveID, kind: .archive, account: vault.location.account) else {
            throw Messages.archiveNotFound(archiveID)
        }
        guard id.vault == vault.uid else { throw Messages.foreignArchive(vault.location) }
        guard let archive = try await catalog.archive(ArchiveUID(words: id.uid)), archive.state == .stored else {
            throw Messages.archiveNotFound(archiveID)
        }
        return archive
    }

    public func describeJob(_ location: VaultLocation, jobID: String) async throws(VaultError) -> JobDescription {
        try await vaultErrors("describing a job") {
            let vault = try await activeVault(location)
            return try describe(try await findJob(jobID, in: vault), in: vault)
        }
    }

    /// Jobs of a vault, oldest first. `marker` as an earlier page gave it.
    public func listJobs(
        _ location: VaultLocation, status: JobDescription.Status?, completed: Bool?, marker: String?, limit: Int
    ) async throws(VaultError) -> JobPage {
        try await vaultErrors("listing jobs") {
            let vault = try await activeVault(location)
            var after: JobUID?
            if let marker {
                guard let id = keyring.identifiers.parse(marker, kind: .job, account: location.account),
                    id.vault == vault.uid
                else {
                    throw Self.badMarker(marker)
                }
                after = JobUID(words: id.uid)
            }
            let states = Self.states(status: status, completed: completed)
            guard !states.isEmpty else { return JobPage(jobs: [], next: nil) }
            let position = after
            let rows = try await Self.page(marker) {
                try await catalog.jobs(vault: vault.uid, after: position, states: states, limit: limit + 1)
            }
            let page = try rows.prefix(limit).map { try describe($0, in: vault) }
            return JobPage(jobs: page, next: rows.count > limit ? page.last?.jobID : nil)
        }
    }

    static func states(status: JobDescription.Status?, completed: Bool?) -> Set<JobRow.State> {
        var states: Set<JobRow.State> =
            switch status {
            case .inProgress: [.queued, .leased]
            case .succeeded: [.succeeded]
            case .failed: [.failed]
            case nil: [.queued, .leased, .succeeded, .failed]
            }
        if let completed { states.formIntersection(completed ? [.succeeded, .failed] : [.queued, .leased]) }
        return states
    }

    /// A foreign or forged id costs no look-up; an expired job is gone at its minute, whenever the reclaimer comes by.
    func findJob(_ id: String, in vault: VaultRow) async throws -> JobRow {
        guard let identifier = keyring.identifiers.parse(id, kind: .job, account: vault.location.account),
            identifier.vault == vault.uid, let job = try await catalog.job(JobUID(words: identifier.uid)),
            job.vault == vault.uid
        else { throw Messages.jobNotFound(id) }
        if let expires = job.expires, expires <= clock.now() { throw Messages.jobNotFound(id) }
        return job
    }

    func seal(_ column: JobColumn, job: JobUID, in vault: VaultRow) throws(VaultError) -> SealedColumnValue {
        try keyring.seal(column, uid: job.bytes, of: vault, random: random)
    }

    func column(of job: JobRow, in vault: VaultRow) throws(VaultError) -> JobColumn {
        try keyring.open(job.sealed, as: JobColumn.self, uid: job.uid.bytes, of: vault)
    }

    /// While a job waits for its data retrieval policy, until when; null while it is in progress otherwise.
    private func statusMessage(of job: JobRow, _ column: JobColumn) -> String? {
        switch job.state {
        case .queued: clock.now() < job.notBefore ? column.statusMessage : nil
        case .leased: nil
        case .succeeded: "Succeeded"
        case .failed: column.statusMessage
        }
    }

    func describe(_ job: JobRow, in vault: VaultRow) throws -> JobDescription {
        let column = try column(of: job, in: vault)
        var archive: ArchiveJobFacts?
        if let id = job.archiveID, let size = job.archiveSize, let range = job.range,
            let treeHash = column.archiveTreeHash
        {
            archive = ArchiveJobFacts(
                archiveID: id, archiveBytes: size, archiveTreeHash: treeHash, range: range,
                rangeTreeHash: column.rangeTreeHash)
        }
        var inventory = column.inventory
        inventory?.marker = column.nextMarker
        let status: JobDescription.Status =
            switch job.state {
            case .queued, .leased: .inProgress
            case .succeeded: .succeeded
            case .failed: .failed
            }
        return JobDescription(
            jobID: job.id, location: vault.location, status: status,
            statusMessage: statusMessage(of: job, column),
            created: job.created, completed: job.completed, description: column.description, snsTopic: column.snsTopic,
            tier: job.tier.flatMap(RetrievalTier.init(rawValue:)), archive: archive, inventory: inventory,
            inventoryBytes: job.action == .inventoryRetrieval && status == .succeeded ? job.outputBytes : nil)
    }
}
