// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

/// What the audit log, keys and scrubbing ask for: passed on, and counted like everything else.
extension AccessCountingCatalog {
    func appendAudit(_ entries: AuditEntries) async throws(StorageError) {
        await note("appendAudit")
        return try await real.appendAudit(entries)
    }
    func auditHead() async throws(StorageError) -> AuditHead {
        await note("auditHead")
        return try await real.auditHead()
    }
    func auditBase() async throws(StorageError) -> AuditHead {
        await note("auditBase")
        return try await real.auditBase()
    }
    func auditEntries(after sequence: UInt64, limit: Int) async throws(StorageError) -> [AuditRow] {
        await note("auditEntries")
        return try await real.auditEntries(after: sequence, limit: limit)
    }
    func trimAudit(through sequence: UInt64, keep: Int) async throws(StorageError) -> Int {
        await note("trimAudit")
        return try await real.trimAudit(through: sequence, keep: keep)
    }
    func archivesUnderKey(vault: VaultUID, version: UInt32, limit: Int) async throws(StorageError) -> [ArchiveRow] {
        await note("archivesUnderKey")
        return try await real.archivesUnderKey(vault: vault, version: version, limit: limit)
    }
    func rewrapArchives(_ changes: [ArchiveRewrap], audit: AuditEntries) async throws(StorageError) -> Set<ArchiveUID> {
        await note("rewrapArchives")
        return try await real.rewrapArchives(changes, audit: audit)
    }
    func uploadsUnderKey(vault: VaultUID, version: UInt32, limit: Int) async throws(StorageError) -> [UploadRow] {
        await note("uploadsUnderKey")
        return try await real.uploadsUnderKey(vault: vault, version: version, limit: limit)
    }
    func rewrapUpload(_ change: UploadRewrap, audit: AuditEntries) async throws(StorageError) -> Bool {
        await note("rewrapUpload")
        return try await real.rewrapUpload(change, audit: audit)
    }
    func jobsUnderKey(vault: VaultUID, version: UInt32, limit: Int) async throws(StorageError) -> [JobRow] {
        await note("jobsUnderKey")
        return try await real.jobsUnderKey(vault: vault, version: version, limit: limit)
    }
    func stagedUnderKey(vault: VaultUID, version: UInt32, limit: Int) async throws(StorageError) -> [StagedRow] {
        await note("stagedUnderKey")
        return try await real.stagedUnderKey(vault: vault, version: version, limit: limit)
    }
    func resealJobs(_ changes: [Reseal<JobUID>]) async throws(StorageError) -> Set<JobUID> {
        await note("resealJobs")
        return try await real.resealJobs(changes)
    }
    func resealStaged(_ changes: [Reseal<StagedUID>]) async throws(StorageError) -> Set<StagedUID> {
        await note("resealStaged")
        return try await real.resealStaged(changes)
    }
    func putKeyDestruction(_ destruction: KeyDestructionRow, audit: AuditEntries) async throws(StorageError) {
        await note("putKeyDestruction")
        return try await real.putKeyDestruction(destruction, audit: audit)
    }
    func keyDestruction(_ key: KeyVersionName) async throws(StorageError) -> KeyDestructionRow? {
        await note("keyDestruction")
        return try await real.keyDestruction(key)
    }
    func keyDestructions(after: KeyVersionName?, limit: Int) async throws(StorageError) -> [KeyDestructionRow] {
        await note("keyDestructions")
        return try await real.keyDestructions(after: after, limit: limit)
    }
    func cancelKeyDestruction(_ key: KeyVersionName, audit: AuditEntries) async throws(StorageError) -> Bool {
        await note("cancelKeyDestruction")
        return try await real.cancelKeyDestruction(key, audit: audit)
    }
    func finishKeyDestruction(
        _ key: KeyVersionName, at now: Timestamp, receipt: String?, audit: AuditEntries
    ) async throws(StorageError) {
        await note("finishKeyDestruction")
        return try await real.finishKeyDestruction(key, at: now, receipt: receipt, audit: audit)
    }
    func purgeNow(
        _ archive: ArchiveUID, at now: Timestamp, audit: AuditEntries
    ) async throws(StorageError) -> PurgeNow {
        await note("purgeNow")
        return try await real.purgeNow(archive, at: now, audit: audit)
    }
    func archivesForScrub(order: ScrubOrder, before: Timestamp, limit: Int) async throws(StorageError) -> [ArchiveRow] {
        await note("archivesForScrub")
        return try await real.archivesForScrub(order: order, before: before, limit: limit)
    }
    func recordVerifications(
        _ results: [ArchiveVerification], audit: AuditEntries
    ) async throws(StorageError) -> Set<ArchiveUID> {
        await note("recordVerifications")
        return try await real.recordVerifications(results, audit: audit)
    }
    func oldestUnverified() async throws(StorageError) -> Timestamp? {
        await note("oldestUnverified")
        return try await real.oldestUnverified()
    }
    func damagedArchives(vault: VaultUID?, after: ArchiveUID?, limit: Int) async throws(StorageError) -> [ArchiveRow] {
        await note("damagedArchives")
        return try await real.damagedArchives(vault: vault, after: after, limit: limit)
    }
    func putQuarantine(_ blobs: [QuarantinedBlob]) async throws(StorageError) {
        await note("putQuarantine")
        return try await real.putQuarantine(blobs)
    }
    func quarantine(after: QuarantinedBlob?, limit: Int) async throws(StorageError) -> [QuarantinedBlob] {
        await note("quarantine")
        return try await real.quarantine(after: after, limit: limit)
    }
    func continueAudit(from head: AuditHead) async throws(StorageError) {
        await note("continueAudit")
        return try await real.continueAudit(from: head)
    }
    func truncateLog() async throws(StorageError) {
        await note("truncateLog")
        return try await real.truncateLog()
    }
    func removeQuarantine(_ blobs: [QuarantinedBlob]) async throws(StorageError) {
        await note("removeQuarantine")
        return try await real.removeQuarantine(blobs)
    }
}
