// SPDX-License-Identifier: Apache-2.0

public import Storage
public import VaultModel

/// Short forms for tests that are about something else.
extension Catalog {
    /// An account with no member but access keys.
    public func putAccount(
        _ account: AccountRow, accessKeys: [AccessKeyRow], expectedGeneration: UInt64?
    ) async throws(StorageError) {
        try await putAccount(
            account, members: AccountMembers(accessKeys: accessKeys), expectedGeneration: expectedGeneration, audit: .none)
    }

    public func accessKeys(of account: AccountID) async throws(StorageError) -> [AccessKeyRow] {
        try await members(of: account).accessKeys
    }

    /// Without bounds; false when the vault is gone.
    public func insertJob(_ job: JobRow) async throws(StorageError) -> Bool {
        try await insertJob(job, admission: nil, audit: .none) == .inserted(isProvisioned: false)
    }

    /// With nobody to tell.
    public func finishJob(_ job: JobRow, epoch: UInt64, staged: StagedRow?) async throws(StorageError) -> JobFinish {
        try await finishJob(job, epoch: epoch, staged: staged, messages: [], audit: .none)
    }

    /// Whatever the vault's generation is; false when the archive was deleted already or is unknown.
    public func deleteArchive(
        _ uid: ArchiveUID, at now: Timestamp, purgeAfter: Timestamp
    ) async throws(StorageError) -> Bool {
        try await deleteArchive(uid, at: now, purgeAfter: purgeAfter, vaultGeneration: nil, record: nil, audit: .none) == .deleted
    }
}

/// Changes that no entry of the audit log comes with.
extension Catalog {
    public func putAccount(
        _ account: AccountRow, members: AccountMembers, expectedGeneration: UInt64?
    ) async throws(StorageError) {
        try await putAccount(account, members: members, expectedGeneration: expectedGeneration, audit: .none)
    }
    public func createVault(_ vault: VaultRow, limit: Int) async throws(StorageError) -> VaultCreation {
        try await createVault(vault, limit: limit, audit: .none)
    }
    public func updateVault(_ vault: VaultRow, expectedGeneration: UInt64) async throws(StorageError) {
        try await updateVault(vault, expectedGeneration: expectedGeneration, audit: .none)
    }
    public func beginVaultDeletion(_ uid: VaultUID) async throws(StorageError) -> VaultDeletion {
        try await beginVaultDeletion(uid, audit: .none)
    }
    public func finishVaultDeletion(_ uid: VaultUID, generation: UInt64, at now: Timestamp) async throws(StorageError) {
        try await finishVaultDeletion(uid, generation: generation, at: now, audit: .none)
    }
    public func commitArchive(
        _ archive: ArchiveRow, from upload: (uid: UploadUID, revision: UInt64)?
    ) async throws(StorageError) -> ArchiveCommit {
        try await commitArchive(archive, from: upload, audit: .none)
    }
    public func deleteArchive(
        _ uid: ArchiveUID, at now: Timestamp, purgeAfter: Timestamp, vaultGeneration: UInt64?
    ) async throws(StorageError) -> ArchiveDeletion {
        try await deleteArchive(uid, at: now, purgeAfter: purgeAfter, vaultGeneration: vaultGeneration, record: nil, audit: .none)
    }
    public func removeArchive(_ uid: ArchiveUID, audit: AuditEntries = .none) async throws(StorageError) {
        try await removeArchive(uid, expectedGeneration: try await archive(uid)?.generation ?? 0, audit: audit)
    }
    public func insertUpload(_ upload: UploadRow) async throws(StorageError) -> Bool {
        try await insertUpload(upload, audit: .none)
    }
    public func abortUpload(
        _ uid: UploadUID, generation: UInt64, at now: Timestamp
    ) async throws(StorageError) -> UploadAbort {
        try await abortUpload(uid, generation: generation, at: now, record: nil, audit: .none)
    }
    public func insertJob(_ job: JobRow, admission: JobAdmission?) async throws(StorageError) -> JobInsertion {
        try await insertJob(job, admission: admission, audit: .none)
    }
    public func finishJob(
        _ job: JobRow, epoch: UInt64, staged: StagedRow?, messages: [OutboxRow]
    ) async throws(StorageError) -> JobFinish {
        try await finishJob(job, epoch: epoch, staged: staged, messages: messages, audit: .none)
    }
    public func removeMessage(_ id: MessageUID) async throws(StorageError) {
        try await removeMessage(id, audit: .none)
    }
    public func updateMessage(_ message: OutboxRow) async throws(StorageError) {
        try await updateMessage(message, audit: .none)
    }
    public func setFact(_ name: String, _ value: String) async throws(StorageError) {
        try await setFact(name, value, audit: .none)
    }
}
