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
            account, members: AccountMembers(accessKeys: accessKeys), expectedGeneration: expectedGeneration)
    }

    public func accessKeys(of account: AccountID) async throws(StorageError) -> [AccessKeyRow] {
        try await members(of: account).accessKeys
    }

    /// Without bounds; false when the vault is gone.
    public func insertJob(_ job: JobRow) async throws(StorageError) -> Bool {
        try await insertJob(job, admission: nil) == .inserted(isProvisioned: false)
    }

    /// With nobody to tell.
    public func finishJob(_ job: JobRow, epoch: UInt64, staged: StagedRow?) async throws(StorageError) -> JobFinish {
        try await finishJob(job, epoch: epoch, staged: staged, messages: [])
    }

    /// Whatever the vault's generation is; false when the archive was deleted already or is unknown.
    public func deleteArchive(
        _ uid: ArchiveUID, at now: Timestamp, purgeAfter: Timestamp
    ) async throws(StorageError) -> Bool {
        try await deleteArchive(uid, at: now, purgeAfter: purgeAfter, vaultGeneration: nil) == .deleted
    }
}
