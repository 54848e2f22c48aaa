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
    /// Temporary credentials with a policy, and such that are past their time.
    static let sessionKeyID = "CVTKOSFODNN7EXAMPLE0"
    static let sessionToken = "se/ss+ion=token"
    static let sessionPolicy = #"{"Version":"2012-10-17","Statement":[]}"#
    static let expiredToken = "expired"
    static let user = UserName("anna")!
    static let lockID = String(repeating: "l", count: 24)
    static let archiveID = String(repeating: "a", count: 138)
    static let uploadID = String(repeating: "u", count: 92)
    static let jobID = String(repeating: "j", count: 92)
    static let moment = Timestamp(milliseconds: 1_363_799_023_221)
    static let digest = SHA256Hasher.hash(Array("digest".utf8))

    struct State {
        var calls: [String] = []
        var refused: [RefusedRequest] = []
        var isKeyActive = true
        /// The key's user; nil: it is the root's.
        var user: UserName?
        /// Each question asked before an operation.
        var questions: [Question] = []
        /// The answer to every question but yes.
        var denial: VaultError?
        /// Thrown by the next operations, before they read anything.
        var refusal: VaultError?
        var lastArchive: UploadArchiveRequest?
        var lastPart: UploadPartRequest?
        var lastJob: JobRequest?
        var lastNotifications: VaultNotifications?
        var lastPolicy: String?
        var lastTags: [String: String]?
        var lastKeys: [String]?
        var lastRetrievalPolicy: DataRetrievalPolicy?
        var lock = VaultLock(
            id: FakeOperations.lockID, policy: "{}", state: .inProgress, created: FakeOperations.moment)
        var retrievalPolicy = DataRetrievalPolicy.none
        var lastRange: OutputRange?
        var lastLimit: Int?
        var bodyBytes = 0
        var output: (@Sendable () -> JobOutput)?
        /// Told when an upload has read its first buffer.
        var didReadFirst: (@Sendable () -> Void)?
    }
    let state = Mutex(State())

    /// "May this caller do that?"
    struct Question: Hashable, Sendable {
        let caller: Caller
        let action: VaultAction
        let target: AccessTarget
    }

    private func note(_ call: String) throws(VaultError) {
        let refusal = state.withLock { state in
            state.calls.append(call)
            return state.refusal
        }
        if let refusal { throw refusal }
    }

    func noteRefusal(_ request: RefusedRequest) { state.withLock { $0.refused.append(request) } }

    func credential(for accessKeyID: String, sessionToken: String?) async throws(VaultError) -> Credential? {
        switch (accessKeyID, sessionToken) {
        case (Self.sessionKeyID, Self.expiredToken):
            throw VaultError(.expiredToken, "The security token included in the request is expired")
        case (Self.accessKeyID, nil), (Self.sessionKeyID, Self.sessionToken): break
        default: return nil
        }
        let (user, isActive) = state.withLock { ($0.user, $0.isKeyActive) }
        return Credential(
            accessKeyID: accessKeyID, principal: Principal(account: Self.account, user: user), isActive: isActive,
            secret: SecretBytes(bytes: Array(Self.secret.utf8)),
            sessionPolicy: sessionToken == nil ? nil : Self.sessionPolicy)
    }

    func authorize(
        _ caller: Caller, _ action: VaultAction, on target: AccessTarget
    ) async throws(VaultError) -> AccessGrant {
        let denial = state.withLock { state in
            state.questions.append(Question(caller: caller, action: action, target: target))
            return state.denial
        }
        if let denial { throw denial }
        return AccessGrant(vaultGeneration: 1)
    }

    static func vault(_ location: VaultLocation) -> VaultDescription {
        VaultDescription(location: location, created: moment, lastInventory: nil, archiveCount: 0, totalBytes: 0)
    }

    func createVault(_ location: VaultLocation, by caller: Caller?) async throws(VaultError) { try note("createVault \(location.arn)") }
    func describeVault(_ location: VaultLocation) async throws(VaultError) -> VaultDescription {
        try note("describeVault \(location.name)")
        return Self.vault(location)
    }
    func deleteVault(_ location: VaultLocation, by caller: Caller?) async throws(VaultError) { try note("deleteVault \(location.name)") }
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
    func deleteArchive(_ caller: Caller, _ location: VaultLocation, archiveID: String) async throws(VaultError) {
        _ = try await authorize(caller, .deleteArchive, on: .archive(location, id: archiveID))
        try note("deleteArchive \(archiveID)")
    }
    func initiateUpload(_ location: VaultLocation, partBytes: UInt64, description: String, by caller: Caller?) async throws(VaultError)
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
        _ location: VaultLocation, uploadID: String, size: UInt64, treeHash: SHA256Digest, by caller: Caller?
    ) async throws(VaultError) -> StoredArchive {
        try note("completeUpload \(size)")
        return StoredArchive(archiveID: Self.archiveID, treeHash: treeHash)
    }
    func abortUpload(_ location: VaultLocation, uploadID: String, by caller: Caller?) async throws(VaultError) {
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

    func initiateJob(_ location: VaultLocation, _ request: JobRequest, by caller: Caller?) async throws(VaultError) -> String {
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

    func setVaultNotifications(
        _ location: VaultLocation, _ notifications: VaultNotifications, by caller: Caller?
    ) async throws(VaultError) {
        state.withLock { $0.lastNotifications = notifications }
        try note("setVaultNotifications")
    }
    func vaultNotifications(_ location: VaultLocation) async throws(VaultError) -> VaultNotifications {
        try note("vaultNotifications")
        return VaultNotifications(
            topic: TopicARN("arn:aws:sns:us-east-1:123456789012:topic")!, events: [.inventoryRetrievalCompleted])
    }
    func deleteVaultNotifications(_ location: VaultLocation, by caller: Caller?) async throws(VaultError) {
        try note("deleteVaultNotifications")
    }
    func setVaultAccessPolicy(_ location: VaultLocation, _ policy: String, by caller: Caller?) async throws(VaultError) {
        state.withLock { $0.lastPolicy = policy }
        try note("setVaultAccessPolicy")
    }
    func vaultAccessPolicy(_ location: VaultLocation) async throws(VaultError) -> String {
        try note("vaultAccessPolicy")
        return #"{"a": 1}"#
    }
    func deleteVaultAccessPolicy(_ location: VaultLocation, by caller: Caller?) async throws(VaultError) {
        try note("deleteVaultAccessPolicy")
    }
    func initiateVaultLock(_ location: VaultLocation, policy: String, by caller: Caller?) async throws(VaultError) -> String {
        state.withLock { $0.lastPolicy = policy }
        try note("initiateVaultLock")
        return Self.lockID
    }
    func completeVaultLock(_ location: VaultLocation, lockID: String, by caller: Caller?) async throws(VaultError) {
        try note("completeVaultLock \(lockID)")
    }
    func abortVaultLock(_ location: VaultLocation, by caller: Caller?) async throws(VaultError) { try note("abortVaultLock") }
    func vaultLock(_ location: VaultLocation) async throws(VaultError) -> VaultLock {
        try note("vaultLock")
        return state.withLock { $0.lock }
    }
    func addTags(_ location: VaultLocation, _ tags: [String: String], by caller: Caller?) async throws(VaultError) {
        state.withLock { $0.lastTags = tags }
        try note("addTags")
    }
    func removeTags(_ location: VaultLocation, _ keys: [String], by caller: Caller?) async throws(VaultError) {
        state.withLock { $0.lastKeys = keys }
        try note("removeTags")
    }
    func tags(_ location: VaultLocation) async throws(VaultError) -> [String: String] {
        try note("tags")
        return ["b": "", "a": "é"]
    }

    func setDataRetrievalPolicy(
        _ account: AccountID, _ region: Region, _ policy: DataRetrievalPolicy, by caller: Caller?
    ) async throws(VaultError) {
        state.withLock { $0.lastRetrievalPolicy = policy }
        try note("setDataRetrievalPolicy \(account) \(region)")
    }
    func dataRetrievalPolicy(_ account: AccountID, _ region: Region) async throws(VaultError) -> DataRetrievalPolicy {
        try note("dataRetrievalPolicy \(account) \(region)")
        return state.withLock { $0.retrievalPolicy }
    }
    func purchaseProvisionedCapacity(_ account: AccountID, _ region: Region, by caller: Caller?) async throws(VaultError) -> String {
        try note("purchaseProvisionedCapacity \(account) \(region)")
        return Self.lockID
    }
    func provisionedCapacity(_ account: AccountID, _ region: Region) async throws(VaultError) -> [CapacityUnit] {
        try note("provisionedCapacity \(account) \(region)")
        return [
            CapacityUnit(id: Self.lockID, start: Self.moment, expiration: Timestamp(milliseconds: 1_366_477_423_000))
        ]
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
