// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import VaultEngine
import VaultModel

/// What the wire needs of the engine; laws and durability are those of ``VaultEngine``. The second conformance is the
/// tests' double.
protocol GlacierOperations: Sendable {
    func credential(for accessKeyID: String) async throws(VaultError) -> Credential?

    func createVault(_ location: VaultLocation) async throws(VaultError)
    func describeVault(_ location: VaultLocation) async throws(VaultError) -> VaultDescription
    func deleteVault(_ location: VaultLocation) async throws(VaultError)
    func listVaults(account: AccountID, region: Region, from: VaultName?, limit: Int) async throws(VaultError)
        -> VaultPage

    func uploadArchive<Body: AsyncSequence & Sendable>(
        _ request: UploadArchiveRequest, body: Body
    ) async throws(VaultError) -> StoredArchive where Body.Element == ByteBuffer
    func deleteArchive(_ location: VaultLocation, archiveID: String) async throws(VaultError)

    func initiateUpload(_ location: VaultLocation, partBytes: UInt64, description: String) async throws(VaultError)
        -> String
    func uploadPart<Body: AsyncSequence & Sendable>(
        _ request: UploadPartRequest, body: Body
    ) async throws(VaultError) -> SHA256Digest where Body.Element == ByteBuffer
    func completeUpload(
        _ location: VaultLocation, uploadID: String, size: UInt64, treeHash: SHA256Digest
    ) async throws(VaultError) -> StoredArchive
    func abortUpload(_ location: VaultLocation, uploadID: String) async throws(VaultError)
    func listParts(_ location: VaultLocation, uploadID: String, marker: String?, limit: Int) async throws(VaultError)
        -> PartPage
    func listUploads(_ location: VaultLocation, marker: String?, limit: Int) async throws(VaultError) -> UploadPage

    func initiateJob(_ location: VaultLocation, _ request: JobRequest) async throws(VaultError) -> String
    func describeJob(_ location: VaultLocation, jobID: String) async throws(VaultError) -> JobDescription
    func listJobs(
        _ location: VaultLocation, status: JobDescription.Status?, completed: Bool?, marker: String?, limit: Int
    ) async throws(VaultError) -> JobPage
    func openOutput(_ location: VaultLocation, jobID: String, range: OutputRange) async throws(VaultError) -> JobOutput
}

extension VaultEngine: GlacierOperations {}
