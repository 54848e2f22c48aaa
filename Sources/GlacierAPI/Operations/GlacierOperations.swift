// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import VaultEngine
import VaultModel

/// What the wire needs of the engine; laws and durability are those of ``VaultEngine``. The second conformance is the
/// tests' double.
///
/// Every method but the first four acts without asking: ``GlacierResponder`` asks ``authorize(_:_:on:)`` before.
protocol GlacierOperations: Sendable {
    func credential(for accessKeyID: String, sessionToken: String?) async throws(VaultError) -> Credential?
    /// Tells of a request that failed authentication; returns at once.
    func noteRefusal(_ request: RefusedRequest)
    /// - Throws: `.accessDenied` with the text for the caller.
    func authorize(
        _ caller: Caller, _ action: VaultAction, on target: AccessTarget
    ) async throws(VaultError) -> AccessGrant
    /// Asks and deletes in one step, since a lock's answer depends on the time of the deletion.
    func deleteArchive(_ caller: Caller, _ location: VaultLocation, archiveID: String) async throws(VaultError)

    func createVault(_ location: VaultLocation, by caller: Caller?) async throws(VaultError)
    func describeVault(_ location: VaultLocation) async throws(VaultError) -> VaultDescription
    func deleteVault(_ location: VaultLocation, by caller: Caller?) async throws(VaultError)
    func listVaults(account: AccountID, region: Region, from: VaultName?, limit: Int) async throws(VaultError)
        -> VaultPage

    func uploadArchive<Body: AsyncSequence & Sendable>(
        _ request: UploadArchiveRequest, body: Body
    ) async throws(VaultError) -> StoredArchive where Body.Element == ByteBuffer

    func initiateUpload(_ location: VaultLocation, partBytes: UInt64, description: String, by caller: Caller?) async throws(VaultError)
        -> String
    func uploadPart<Body: AsyncSequence & Sendable>(
        _ request: UploadPartRequest, body: Body
    ) async throws(VaultError) -> SHA256Digest where Body.Element == ByteBuffer
    func completeUpload(
        _ location: VaultLocation, uploadID: String, size: UInt64, treeHash: SHA256Digest, by caller: Caller?
    ) async throws(VaultError) -> StoredArchive
    func abortUpload(_ location: VaultLocation, uploadID: String, by caller: Caller?) async throws(VaultError)
    func listParts(_ location: VaultLocation, uploadID: String, marker: String?, limit: Int) async throws(VaultError)
        -> PartPage
    func listUploads(_ location: VaultLocation, marker: String?, limit: Int) async throws(VaultError) -> UploadPage

    func initiateJob(_ location: VaultLocation, _ request: JobRequest, by caller: Caller?) async throws(VaultError) -> String
    func describeJob(_ location: VaultLocation, jobID: String) async throws(VaultError) -> JobDescription
    func listJobs(
        _ location: VaultLocation, status: JobDescription.Status?, completed: Bool?, marker: String?, limit: Int
    ) async throws(VaultError) -> JobPage
    func openOutput(_ location: VaultLocation, jobID: String, range: OutputRange) async throws(VaultError) -> JobOutput

    func setVaultNotifications(_ location: VaultLocation, _ notifications: VaultNotifications, by caller: Caller?) async throws(VaultError)
    func vaultNotifications(_ location: VaultLocation) async throws(VaultError) -> VaultNotifications
    func deleteVaultNotifications(_ location: VaultLocation, by caller: Caller?) async throws(VaultError)
    func setVaultAccessPolicy(_ location: VaultLocation, _ policy: String, by caller: Caller?) async throws(VaultError)
    func vaultAccessPolicy(_ location: VaultLocation) async throws(VaultError) -> String
    func deleteVaultAccessPolicy(_ location: VaultLocation, by caller: Caller?) async throws(VaultError)
    func initiateVaultLock(_ location: VaultLocation, policy: String, by caller: Caller?) async throws(VaultError) -> String
    func completeVaultLock(_ location: VaultLocation, lockID: String, by caller: Caller?) async throws(VaultError)
    func abortVaultLock(_ location: VaultLocation, by caller: Caller?) async throws(VaultError)
    func vaultLock(_ location: VaultLocation) async throws(VaultError) -> VaultLock
    func addTags(_ location: VaultLocation, _ tags: [String: String], by caller: Caller?) async throws(VaultError)
    func removeTags(_ location: VaultLocation, _ keys: [String], by caller: Caller?) async throws(VaultError)
    func tags(_ location: VaultLocation) async throws(VaultError) -> [String: String]

    func setDataRetrievalPolicy(
        _ account: AccountID, _ region: Region, _ policy: DataRetrievalPolicy, by caller: Caller?
    ) async throws(VaultError)
    func dataRetrievalPolicy(_ account: AccountID, _ region: Region) async throws(VaultError) -> DataRetrievalPolicy
    func purchaseProvisionedCapacity(_ account: AccountID, _ region: Region, by caller: Caller?) async throws(VaultError) -> String
    func provisionedCapacity(_ account: AccountID, _ region: Region) async throws(VaultError) -> [CapacityUnit]
}

extension VaultEngine: GlacierOperations {}
