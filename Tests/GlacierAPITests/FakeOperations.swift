// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import Synchronization
import TreeHash
import VaultModel

@testable import GlacierAPI
@testable import VaultEngine

/// The engine's double: it holds nothing durable, notes what it is asked, and does what a test tells it.
final class FakeOperations: GlacierOperations {
    static let account = AccountID("123456789012")!
    static let accessKeyID = "AKIAIOSFODNN7EXAMPLE"
    static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    static let archiveID = String(repeating: "a", count: 138)
    static let uploadID = String(repeating: "u", count: 92)
    static let jobID = String(repeating: "j", count: 92)
    static let moment = Timestamp(milliseconds: 1_363_799_023_221)
    static let digest = SHA256Hasher.hash(Array("digest".utf8))

    struct State {
        var calls: [String] = []
        var isKeyActive = true
        /// Thrown by the next operations, before they read anything.
        var refusal: VaultError?
        var lastArchive: UploadArchiveRequest?
        var lastPart: UploadPartRequest?
        var lastJob: JobRequest?
        var lastRange: OutputRange?
        var lastLimit: Int?
        var bodyBytes = 0
        var output: (@Sendable () -> JobOutput)?
        /// Told when an upload has read its first buffer.
        var didReadFirst: (@Sendable () -> Void)?
    }
    let state = Mutex(State())

    private func note(_ call: String) throws(VaultError) {
        let refusal = state.withLock { state in
            state.calls.append(call)
            return state.refusal
        }
        if let refusal { throw refusal }
    }

    func credential(for accessKeyID: String) async throws(VaultError) -> Credential? {
        guard accessKeyID == Self.accessKeyID else { return nil }
        return Credential(
            accessKeyID: accessKeyID, account: Self.account, isActive: state.withLock { $0.isKeyActive },
            secret: SecretBytes(bytes: Array(Self.secret.utf8)))
    }

    static func vault(_ location: VaultLocation) -> VaultDescription {
        VaultDescription(location: location, created: moment, lastInventory: nil, archiveCount: 0, totalBytes: 0)
    }

    func createVault(_ location: VaultLocation) async throws(VaultError) { try note("createVault \(location.arn)") }
    func describeVault(_ location: VaultLocation) async throws(VaultError) -> VaultDescription {
        try note("describeVault \(location.name)")
        return Self.vault(location)
    }
    func deleteVault(_ location: VaultLocation) async throws(VaultError) { try note("deleteVault \(location.name)") }
    func listVaults(account: AccountID, region: Region, from: VaultName?, limit: Int) async throws(VaultError)
        -> VaultPage
    {
        try note("listVaults \(account) \(region) \(from?.text ?? "-") \(limit)")
        let names = ["a", "b"].compactMap { VaultName($0) }
        return VaultPage(
            vaults: names.map { Self.vault(VaultLocation(account: account, region: region, name: $0)) },
            next: VaultName("c"))
    }

    func uploadArchive<Body: AsyncSequence & Sendable>(
        _ request: UploadArchiveRequest, body: Body
    ) async throws(VaultError) -> StoredArchive where Body.Element == ByteBuffer {
        state.withLock { $0.lastArchive = request }
        try note("uploadArchive")
        return StoredArchive(
            archiveID: Self.archiveID, treeHash: try await checked(body, request.treeHash, request.linearHash))
    }
    func deleteArchive(_ location: VaultLocation, archiveID: String) async throws(VaultError) {
        try note("deleteArchive \(archiveID)")
    }
    func initiateUpload(_ location: VaultLocation, partBytes: UInt64, description: String) async throws(VaultError)
        -> String
    {
        try note("initiateUpload \(partBytes) '\(description)'")
        return Self.uploadID
    }
    func uploadPart<Body: AsyncSequence & Sendable>(
        _ request: UploadPartRequest, body: Body
    ) async throws(VaultError) -> SHA256Digest where Body.Element == ByteBuffer {
        state.withLock { $0.lastPart = request }
        try note("uploadPart")
        return try await checked(body, request.treeHash, request.linearHash)
    }
    func completeUpload(
        _ location: VaultLocation, uploadID: String, size: UInt64, treeHash: SHA256Digest
    ) async throws(VaultError) -> StoredArchive {
        try note("completeUpload \(size)")
        return StoredArchive(archiveID: Self.archiveID, treeHash: treeHash)
    }
    func abortUpload(_ location: VaultLocation, uploadID: String) async throws(VaultError) {
        try note("abortUpload \(uploadID)")
    }

    static let upload = UploadDescription(uploadID: uploadID, description: "", partBytes: 1 << 20, created: moment)
    func listParts(_ location: VaultLocation, uploadID: String, marker: String?, limit: Int) async throws(VaultError)
        -> PartPage
    {
        try note("listParts \(marker ?? "-") \(limit)")
        let range = ByteRange(first: 0, last: 1_048_575)!
        return PartPage(upload: Self.upload, parts: [PartDescription(range: range, treeHash: Self.digest)], next: nil)
    }
    func listUploads(_ location: VaultLocation, marker: String?, limit: Int) async throws(VaultError) -> UploadPage {
        try note("listUploads \(marker ?? "-") \(limit)")
        return UploadPage(uploads: [Self.upload], next: "next")
    }

    func initiateJob(_ location: VaultLocation, _ request: JobRequest) async throws(VaultError) -> String {
        state.withLock { $0.lastJob = request }
        try note("initiateJob")
        return Self.jobID
    }
    func describeJob(_ location: VaultLocation, jobID: String) async throws(VaultError) -> JobDescription {
        try note("describeJob \(jobID)")
        return Self.archiveJob(location)
    }
    func listJobs(
        _ location: VaultLocation, status: JobDescription.Status?, completed: Bool?, marker: String?, limit: Int
    ) async throws(VaultError) -> JobPage {
        try note("listJobs \(status?.rawValue ?? "-") \(completed.map { "\($0)" } ?? "-") \(marker ?? "-") \(limit)")
        return JobPage(jobs: [Self.inventoryJob(location)], next: nil)
    }
    func openOutput(_ location: VaultLocation, jobID: String, range: OutputRange) async throws(VaultError) -> JobOutput
    {
        state.withLock { $0.lastRange = range }
        try note("openOutput \(jobID)")
        guard let output = state.withLock({ $0.output }) else {
            throw VaultError(.notFound, "The job ID was not found: \(jobID)")
        }
        return output()
    }

    static func archiveJob(_ location: VaultLocation) -> JobDescription {
        JobDescription(
            jobID: jobID, location: location, status: .inProgress, statusMessage: nil, created: moment, completed: nil,
            description: nil, snsTopic: nil, tier: .bulk,
            archive: ArchiveJobFacts(
                archiveID: archiveID, archiveBytes: 2 << 20, archiveTreeHash: digest,
                range: ByteRange(first: 0, last: (2 << 20) - 1)!,
                rangeTreeHash: digest),
            inventory: nil, inventoryBytes: nil)
    }

    static func inventoryJob(_ location: VaultLocation) -> JobDescription {
        var parameters = InventoryParameters(format: .csv)
        parameters.limit = 3
        return JobDescription(
            jobID: jobID, location: location, status: .succeeded, statusMessage: "Succeeded", created: moment,
            completed: moment,
            description: "count", snsTopic: nil, tier: nil, archive: nil, inventory: parameters, inventoryBytes: 99)
    }

    /// Reads everything and compares the hashes, as the engine does.
    private func checked<Body: AsyncSequence & Sendable>(
        _ body: Body, _ treeHash: SHA256Digest, _ linearHash: SHA256Digest
    ) async throws(VaultError) -> SHA256Digest where Body.Element == ByteBuffer {
        var bytes: [UInt8] = []
        do {
            for try await buffer in body {
                bytes += Array(buffer.readableBytesView)
                let count = bytes.count
                let didReadFirst = state.withLock { state in
                    state.bodyBytes = count
                    defer { state.didReadFirst = nil }
                    return state.didReadFirst
                }
                didReadFirst?()
            }
        } catch let error as VaultError { throw error } catch { throw VaultError(.internalFailure, "\(error)") }
        guard SHA256Hasher.hash(bytes) == linearHash else { throw VaultError(.invalidSignature, "hash") }
        guard TreeHash.hash(of: bytes) == treeHash else { throw VaultError(.invalidParameter, "Checksum mismatch") }
        return treeHash
    }
}
