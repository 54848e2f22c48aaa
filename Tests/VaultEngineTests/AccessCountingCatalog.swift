// SPDX-License-Identifier: Apache-2.0

import Storage
import Synchronization
import VaultModel

/// A catalog that writes down which of its methods are called, so that a test can compare what two requests cost.
final class AccessCountingCatalog: Catalog {
    let real: any Catalog
    private let calls = Mutex<[String]>([])
    private let hooks = Mutex<[String: @Sendable () async -> Void]>([:])

    init(_ real: any Catalog) { self.real = real }

    func note(_ call: String) async {
        calls.withLock { $0.append(call) }
        let hook = hooks.withLock { $0.removeValue(forKey: call) }
        await hook?()
    }

    /// Runs `body` once, before the next call of the method goes on.
    func before(_ call: String, _ body: @escaping @Sendable () async -> Void) { hooks.withLock { $0[call] = body } }

    /// The calls that `body` made, in order.
    func calls(of body: () async throws -> Void) async rethrows -> [String] {
        calls.withLock { $0 = [] }
        try await body()
        return calls.withLock { $0 }
    }

    func putAccount(
        _ account: AccountRow, members: AccountMembers, expectedGeneration: UInt64?, audit: AuditEntries
    ) async throws(StorageError) {
        await note("putAccount")
        return try await real.putAccount(account, members: members, expectedGeneration: expectedGeneration, audit: audit)
    }
    func account(_ id: AccountID) async throws(StorageError) -> AccountRow? {
        await note("account")
        return try await real.account(id)
    }
    func accounts(after: AccountID?, limit: Int) async throws(StorageError) -> [AccountRow] {
        await note("accounts")
        return try await real.accounts(after: after, limit: limit)
    }
    func members(of account: AccountID) async throws(StorageError) -> AccountMembers {
        await note("members")
        return try await real.members(of: account)
    }
    func accessKey(_ id: String) async throws(StorageError) -> (key: AccessKeyRow, account: AccountRow, user: UserRow?)?
    {
        await note("accessKey")
        return try await real.accessKey(id)
    }
    func principal(_ principal: Principal) async throws(StorageError) -> (account: AccountRow, user: UserRow?)? {
        await note("principal")
        return try await real.principal(principal)
    }
    func topic(_ topic: TopicARN) async throws(StorageError) -> TopicRow? {
        await note("topic")
        return try await real.topic(topic)
    }
    func createVault(_ vault: VaultRow, limit: Int, audit: AuditEntries) async throws(StorageError) -> VaultCreation {
        await note("createVault")
        return try await real.createVault(vault, limit: limit, audit: audit)
    }
    func vault(at location: VaultLocation) async throws(StorageError) -> VaultRow? {
        await note("vault")
        return try await real.vault(at: location)
    }
    func vault(_ uid: VaultUID) async throws(StorageError) -> VaultRow? {
        await note("vault")
        return try await real.vault(uid)
    }
    func vaults(
        account: AccountID, region: Region, from: VaultName?, limit: Int
    ) async throws(StorageError) -> [VaultRow] {
        await note("vaults")
        return try await real.vaults(account: account, region: region, from: from, limit: limit)
    }
    func vaults(after: VaultUID?, limit: Int) async throws(StorageError) -> [VaultRow] {
        await note("vaults")
        return try await real.vaults(after: after, limit: limit)
    }
    func updateVault(_ vault: VaultRow, expectedGeneration: UInt64, audit: AuditEntries) async throws(StorageError) {
        await note("updateVault")
        return try await real.updateVault(vault, expectedGeneration: expectedGeneration, audit: audit)
    }
    func beginVaultDeletion(_ uid: VaultUID, audit: AuditEntries) async throws(StorageError) -> VaultDeletion {
        await note("beginVaultDeletion")
        return try await real.beginVaultDeletion(uid, audit: audit)
    }
    func shrinkDeletingVault(_ uid: VaultUID, at now: Timestamp, limit: Int) async throws(StorageError) -> Bool {
        await note("shrinkDeletingVault")
        return try await real.shrinkDeletingVault(uid, at: now, limit: limit)
    }
    func finishVaultDeletion(_ uid: VaultUID, generation: UInt64, at now: Timestamp, audit: AuditEntries) async throws(StorageError) {
        await note("finishVaultDeletion")
        return try await real.finishVaultDeletion(uid, generation: generation, at: now, audit: audit)
    }
    func commitArchive(
        _ archive: ArchiveRow, from upload: (uid: UploadUID, revision: UInt64)?, audit: AuditEntries
    ) async throws(StorageError) -> ArchiveCommit {
        await note("commitArchive")
        return try await real.commitArchive(archive, from: upload, audit: audit)
    }
    func archive(_ uid: ArchiveUID) async throws(StorageError) -> ArchiveRow? {
        await note("archive")
        return try await real.archive(uid)
    }
    func archives(
        vault: VaultUID, after: ArchivePosition?, from: Timestamp?, until: Timestamp?, limit: Int
    ) async throws(StorageError) -> [ArchiveRow] {
        await note("archives")
        return try await real.archives(vault: vault, after: after, from: from, until: until, limit: limit)
    }
    func deleteArchive(
        _ uid: ArchiveUID, at now: Timestamp, purgeAfter: Timestamp, vaultGeneration: UInt64?, record: String?, audit: AuditEntries
    ) async throws(StorageError) -> ArchiveDeletion {
        await note("deleteArchive")
        return try await real.deleteArchive(
            uid, at: now, purgeAfter: purgeAfter, vaultGeneration: vaultGeneration, record: record, audit: audit)
    }
    func purgeableArchives(at now: Timestamp, limit: Int) async throws(StorageError) -> [ArchiveRow] {
        await note("purgeableArchives")
        return try await real.purgeableArchives(at: now, limit: limit)
    }
    func removeArchive(_ uid: ArchiveUID, expectedGeneration: UInt64, audit: AuditEntries) async throws(StorageError) {
        await note("removeArchive")
        return try await real.removeArchive(uid, expectedGeneration: expectedGeneration, audit: audit)
    }
    func insertUpload(_ upload: UploadRow, audit: AuditEntries) async throws(StorageError) -> Bool {
        await note("insertUpload")
        return try await real.insertUpload(upload, audit: audit)
    }
    func upload(_ uid: UploadUID) async throws(StorageError) -> UploadRow? {
        await note("upload")
        return try await real.upload(uid)
    }
    func uploads(vault: VaultUID, after: UploadUID?, limit: Int) async throws(StorageError) -> [UploadRow] {
        await note("uploads")
        return try await real.uploads(vault: vault, after: after, limit: limit)
    }
    func part(_ upload: UploadUID, index: UInt32) async throws(StorageError) -> PartRow? {
        await note("part")
        return try await real.part(upload, index: index)
    }
    func commitPart(_ part: PartRow, at now: Timestamp) async throws(StorageError) -> PartCommit {
        await note("commitPart")
        return try await real.commitPart(part, at: now)
    }
    func parts(_ upload: UploadUID, from index: UInt32, limit: Int) async throws(StorageError) -> [PartRow] {
        await note("parts")
        return try await real.parts(upload, from: index, limit: limit)
    }
    func abortUpload(_ uid: UploadUID, generation: UInt64, at now: Timestamp, record: String?, audit: AuditEntries) async throws(StorageError) -> UploadAbort
    {
        await note("abortUpload")
        return try await real.abortUpload(uid, generation: generation, at: now, record: record, audit: audit)
    }
    func idleUploads(before: Timestamp, limit: Int) async throws(StorageError) -> [UploadRow] {
        await note("idleUploads")
        return try await real.idleUploads(before: before, limit: limit)
    }
    func removeClosedUploads(before: Timestamp, limit: Int) async throws(StorageError) {
        await note("removeClosedUploads")
        return try await real.removeClosedUploads(before: before, limit: limit)
    }
    func beginEpoch() async throws(StorageError) -> UInt64 {
        await note("beginEpoch")
        return try await real.beginEpoch()
    }
    func insertJob(_ job: JobRow, admission: JobAdmission?, audit: AuditEntries) async throws(StorageError) -> JobInsertion {
        await note("insertJob")
        return try await real.insertJob(job, admission: admission, audit: audit)
    }
    func job(_ uid: JobUID) async throws(StorageError) -> JobRow? {
        await note("job")
        return try await real.job(uid)
    }
    func jobs(
        vault: VaultUID, after: JobUID?, states: Set<JobRow.State>, limit: Int
    ) async throws(StorageError) -> [JobRow] {
        await note("jobs")
        return try await real.jobs(vault: vault, after: after, states: states, limit: limit)
    }
    func runnableJobs(at now: Timestamp, limit: Int) async throws(StorageError) -> [JobRow] {
        await note("runnableJobs")
        return try await real.runnableJobs(at: now, limit: limit)
    }
    func nextRunnable(after now: Timestamp) async throws(StorageError) -> Timestamp? {
        await note("nextRunnable")
        return try await real.nextRunnable(after: now)
    }
    func claimJobs(
        like uid: JobUID, epoch: UInt64, at now: Timestamp, leaseUntil: Timestamp, limit: Int
    ) async throws(StorageError) -> [JobRow] {
        await note("claimJobs")
        return try await real.claimJobs(like: uid, epoch: epoch, at: now, leaseUntil: leaseUntil, limit: limit)
    }
    func renewLeases(_ uids: [JobUID], epoch: UInt64, leaseUntil: Timestamp) async throws(StorageError) -> Set<JobUID> {
        await note("renewLeases")
        return try await real.renewLeases(uids, epoch: epoch, leaseUntil: leaseUntil)
    }
    func releaseJobs(_ uids: [JobUID], epoch: UInt64) async throws(StorageError) {
        await note("releaseJobs")
        return try await real.releaseJobs(uids, epoch: epoch)
    }
    func finishJob(
        _ job: JobRow, epoch: UInt64, staged: StagedRow?, messages: [OutboxRow], audit: AuditEntries
    ) async throws(StorageError) -> JobFinish {
        await note("finishJob")
        return try await real.finishJob(job, epoch: epoch, staged: staged, messages: messages, audit: audit)
    }
    func staged(_ uid: StagedUID) async throws(StorageError) -> StagedRow? {
        await note("staged")
        return try await real.staged(uid)
    }
    func staged(archive: ArchiveUID, range: ByteRange) async throws(StorageError) -> StagedRow? {
        await note("staged")
        return try await real.staged(archive: archive, range: range)
    }
    func expireJobs(at now: Timestamp, limit: Int) async throws(StorageError) -> Int {
        await note("expireJobs")
        return try await real.expireJobs(at: now, limit: limit)
    }
    func dueMessages(at now: Timestamp, perTopic: Int, limit: Int) async throws(StorageError) -> [OutboxRow] {
        await note("dueMessages")
        return try await real.dueMessages(at: now, perTopic: perTopic, limit: limit)
    }
    func nextMessage(after now: Timestamp) async throws(StorageError) -> Timestamp? {
        await note("nextMessage")
        return try await real.nextMessage(after: now)
    }
    func removeMessage(_ id: MessageUID, audit: AuditEntries) async throws(StorageError) {
        await note("removeMessage")
        return try await real.removeMessage(id, audit: audit)
    }
    func updateMessage(_ message: OutboxRow, audit: AuditEntries) async throws(StorageError) {
        await note("updateMessage")
        return try await real.updateMessage(message, audit: audit)
    }
    func message(_ id: MessageUID) async throws(StorageError) -> OutboxRow? {
        await note("message")
        return try await real.message(id)
    }
    func messages(
        account: AccountID, state: OutboxRow.State, after: MessageUID?, limit: Int
    ) async throws(StorageError) -> [OutboxRow] {
        await note("messages")
        return try await real.messages(account: account, state: state, after: after, limit: limit)
    }
    func doom(_ blobs: [DoomedBlob]) async throws(StorageError) {
        await note("doom")
        return try await real.doom(blobs)
    }
    func announce(_ record: AnnouncedRecord) async throws(StorageError) -> Announcement {
        await note("announce")
        return try await real.announce(record)
    }
    func announcedRecords(limit: Int) async throws(StorageError) -> [DoomedBlob] {
        await note("announcedRecords")
        return try await real.announcedRecords(limit: limit)
    }
    func isDoomed(_ blob: String, in store: DoomedBlob.Store) async throws(StorageError) -> Bool {
        await note("isDoomed")
        return try await real.isDoomed(blob, in: store)
    }
    func doomedBlobs(at now: Timestamp, limit: Int) async throws(StorageError) -> [DoomedBlob] {
        await note("doomedBlobs")
        return try await real.doomedBlobs(at: now, limit: limit)
    }
    func forgetDoomed(_ blobs: [DoomedBlob]) async throws(StorageError) {
        await note("forgetDoomed")
        return try await real.forgetDoomed(blobs)
    }
    func keyReferences() async throws(StorageError) -> KeyReferences {
        await note("keyReferences")
        return try await real.keyReferences()
    }
    func fact(_ name: String) async throws(StorageError) -> String? {
        await note("fact")
        return try await real.fact(name)
    }
    func setFact(_ name: String, _ value: String, audit: AuditEntries) async throws(StorageError) {
        await note("setFact")
        return try await real.setFact(name, value, audit: audit)
    }
    func backup(to path: String) async throws(StorageError) {
        await note("backup")
        return try await real.backup(to: path)
    }
    func totals() async throws(StorageError) -> CatalogTotals {
        await note("totals")
        return try await real.totals()
    }
    func close() async {
        await real.close()
    }
}
