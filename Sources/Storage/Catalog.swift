// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// The index of everything and the judge of every race, while it exists; it can be rebuilt from blobs and keys.
///
/// Each method is one transaction: when it returns from a change, the change is durable (`synchronous=FULL`); when it throws, nothing
/// has changed — except `.outcomeUnknown`, after which both are possible and no blob may be deleted. Laws (`Tests/StorageLaws`):
///  1. Serialisable: the outcome is as if the transactions had run one after the other.
///  2. A page costs the same at the end of a list as at its start; nothing is read in whole that can grow.
///  3. Counts of a vault equal the archives in it, always.
///  4. A job has at most one owner at a time; only the owner's epoch can finish it; a finished job never changes again until it expires.
///  5. A blob appears in the doomed list in the same transaction as the decision that doomed it.
///  6. `audit` is appended to the audit log in the same transaction, if that makes its change: a vault created, an archive stored, …; a
///     refusal, or a repetition that finds everything done, appends nothing.
/// Concurrent callers may be grouped into one commit by the adapter. Methods never block the caller's executor and do not react to
/// cancellation once begun.
public protocol Catalog: AuditCatalog, KeyCatalog, ScrubCatalog, Sendable {
    // MARK: Accounts

    /// Inserts (`expectedGeneration` nil, `.alreadyExists` when taken) or replaces (`.conflict` when the stored generation differs)
    /// the account together with the whole set of its access keys, users and topics. An access key id taken by another account:
    /// `.alreadyExists`.
    func putAccount(
        _ account: AccountRow, members: AccountMembers, expectedGeneration: UInt64?, audit: AuditEntries
    ) async throws(StorageError)
    func account(_ id: AccountID) async throws(StorageError) -> AccountRow?
    func accounts(after: AccountID?, limit: Int) async throws(StorageError) -> [AccountRow]
    /// Access keys by id, users by name, topics by ARN.
    func members(of account: AccountID) async throws(StorageError) -> AccountMembers
    /// One read for authentication. `user` is that of the key, nil for a key of the root.
    func accessKey(_ id: String) async throws(StorageError) -> (key: AccessKeyRow, account: AccountRow, user: UserRow?)?
    /// One read for temporary credentials: the account and, if asked for and there, the user.
    func principal(_ principal: Principal) async throws(StorageError) -> (account: AccountRow, user: UserRow?)?
    func topic(_ topic: TopicARN) async throws(StorageError) -> TopicRow?

    // MARK: Vaults

    /// Creates the vault unless one of that location exists (then that one is the result, in whatever state) or the account has `limit`
    /// vaults in the region.
    func createVault(_ vault: VaultRow, limit: Int, audit: AuditEntries) async throws(StorageError) -> VaultCreation
    /// The active or deleting vault of that name.
    func vault(at location: VaultLocation) async throws(StorageError) -> VaultRow?
    /// In any state.
    func vault(_ uid: VaultUID) async throws(StorageError) -> VaultRow?
    /// Active vaults in ASCII order of names, starting at `from` (inclusive).
    func vaults(account: AccountID, region: Region, from: VaultName?, limit: Int) async throws(StorageError) -> [VaultRow]
    /// All vaults of the service in any state, in order of uid: for key rotation and start-up.
    func vaults(after: VaultUID?, limit: Int) async throws(StorageError) -> [VaultRow]
    /// Replaces state record facts (generation, compression, keys, settings); `.conflict` unless the stored generation is `expectedGeneration`
    /// and the stored state is that of `vault`.
    func updateVault(_ vault: VaultRow, expectedGeneration: UInt64, audit: AuditEntries) async throws(StorageError)
    /// Marks an active vault as `deleting` if it holds no archive that is not deleted. Idempotent.
    func beginVaultDeletion(_ uid: VaultUID, audit: AuditEntries) async throws(StorageError) -> VaultDeletion
    /// Removes up to `limit` of the jobs, outputs, parts or uploads of a vault in state `deleting`, as
    /// ``finishVaultDeletion(_:generation:at:audit:)`` would, so that no transaction is as large as what hangs on a vault; false when nothing
    /// is left for it, or the vault is in another state.
    func shrinkDeletingVault(_ uid: VaultUID, at now: Timestamp, limit: Int) async throws(StorageError) -> Bool
    /// Turns a vault in state `deleting` into `deleted` (its name is free again) at generation `generation`; removes its jobs and uploads;
    /// dooms the blobs of its uploads' parts and of its staged outputs. Deleted archives that wait for their grace keep their rows; the
    /// vault row goes with the last of them (at once when there is none). Idempotent.
    func finishVaultDeletion(
        _ uid: VaultUID, generation: UInt64, at now: Timestamp, audit: AuditEntries
    ) async throws(StorageError)

    // MARK: Archives

    /// Adds the archive, if the vault is active; closes the upload it came from (which must be open and at `revision`) in the same
    /// transaction. Upload rows stay as `completed`, their part rows go.
    func commitArchive(
        _ archive: ArchiveRow, from upload: (uid: UploadUID, revision: UInt64)?, audit: AuditEntries
    ) async throws(StorageError) -> ArchiveCommit
    func archive(_ uid: ArchiveUID) async throws(StorageError) -> ArchiveRow?
    /// Stored archives of a vault by (creation, uid), created in `from..<until`.
    func archives(
        vault: VaultUID, after: ArchivePosition?, from: Timestamp?, until: Timestamp?, limit: Int
    ) async throws(StorageError) -> [ArchiveRow]
    /// Deletes the archive if its vault is still at `vaultGeneration` (nil: whatever it is at): a policy that came meanwhile must be judged first.
    /// `record`, given, is the announced record of the deletion: no longer doomed when the answer is `.deleted`; `.conflict`, and nothing
    /// changed, when its announcement is gone.
    func deleteArchive(
        _ uid: ArchiveUID, at now: Timestamp, purgeAfter: Timestamp, vaultGeneration: UInt64?, record: String?, audit: AuditEntries
    ) async throws(StorageError) -> ArchiveDeletion
    /// Deleted archives whose grace has ended and whose bytes no unexpired succeeded in-place job needs.
    func purgeableArchives(at now: Timestamp, limit: Int) async throws(StorageError) -> [ArchiveRow]
    /// Forgets a deleted archive, after its blobs are gone; and its vault when that is `deleted` and this was its last archive. Idempotent.
    /// `.conflict`, and nothing changed, when the archive is stored or its generation is another: a manifest was written after its blobs went.
    func removeArchive(_ uid: ArchiveUID, expectedGeneration: UInt64, audit: AuditEntries) async throws(StorageError)

    // MARK: Uploads

    /// False when the vault is not active.
    func insertUpload(_ upload: UploadRow, audit: AuditEntries) async throws(StorageError) -> Bool
    func upload(_ uid: UploadUID) async throws(StorageError) -> UploadRow?
    /// Open uploads by (creation, uid).
    func uploads(vault: VaultUID, after: UploadUID?, limit: Int) async throws(StorageError) -> [UploadRow]
    func part(_ upload: UploadUID, index: UInt32) async throws(StorageError) -> PartRow?
    /// Open upload only. The higher write number wins; the loser's blob is doomed at once.
    func commitPart(_ part: PartRow, at now: Timestamp) async throws(StorageError) -> PartCommit
    func parts(_ upload: UploadUID, from index: UInt32, limit: Int) async throws(StorageError) -> [PartRow]
    /// Marks an open upload aborted and dooms its parts' blobs. `record` as in ``deleteArchive(_:at:purgeAfter:vaultGeneration:record:audit:)``.
    func abortUpload(
        _ uid: UploadUID, generation: UInt64, at now: Timestamp, record: String?, audit: AuditEntries
    ) async throws(StorageError) -> UploadAbort
    /// Open uploads without activity since `before`.
    func idleUploads(before: Timestamp, limit: Int) async throws(StorageError) -> [UploadRow]
    /// Forgets completed and aborted uploads last active before `before`.
    func removeClosedUploads(before: Timestamp, limit: Int) async throws(StorageError)

    // MARK: Jobs

    /// Starts a new epoch and voids all leases of older ones at once. Returns the epoch.
    func beginEpoch() async throws(StorageError) -> UInt64
    /// Adds the job if its vault is active and the quota allows it; decides `isProvisioned` by the capacity.
    func insertJob(_ job: JobRow, admission: JobAdmission?, audit: AuditEntries) async throws(StorageError) -> JobInsertion
    func job(_ uid: JobUID) async throws(StorageError) -> JobRow?
    /// Jobs of a vault by (creation, uid), newest last, filtered.
    func jobs(
        vault: VaultUID, after: JobUID?, states: Set<JobRow.State>, limit: Int
    ) async throws(StorageError) -> [JobRow]
    /// For every account with work that may start at `now`: its runnable (queued, or leased and overdue) job of the earliest deadline;
    /// and for every account with provisioned work its earliest provisioned job, first of all.
    func runnableJobs(at now: Timestamp, limit: Int) async throws(StorageError) -> [JobRow]
    /// When the next queued job becomes runnable, or nil.
    func nextRunnable(after now: Timestamp) async throws(StorageError) -> Timestamp?
    /// Takes the lease of a runnable job and of every other runnable job for the same archive (at most `limit` in all). Empty when it is gone.
    func claimJobs(
        like uid: JobUID, epoch: UInt64, at now: Timestamp, leaseUntil: Timestamp, limit: Int
    ) async throws(StorageError) -> [JobRow]
    /// Extends leases that are still ours; returns those that are.
    func renewLeases(_ uids: [JobUID], epoch: UInt64, leaseUntil: Timestamp) async throws(StorageError) -> Set<JobUID>
    /// Gives leases back: the jobs are queued again, and the claim no longer counts as an attempt.
    func releaseJobs(_ uids: [JobUID], epoch: UInt64) async throws(StorageError)
    /// Ends a leased job of ours: writes state, sealed, completed, expires, staged, outputBytes of `job`. Inserts `staged` if given and not there.
    /// Adds `messages` to the outbox in the same transaction, only when the job is finished by it.
    /// For a succeeded archive retrieval, the archive must not have been deleted: false and no change when it was (or when the lease is lost).
    func finishJob(
        _ job: JobRow, epoch: UInt64, staged: StagedRow?, messages: [OutboxRow], audit: AuditEntries
    ) async throws(StorageError) -> JobFinish
    func staged(_ uid: StagedUID) async throws(StorageError) -> StagedRow?
    /// The staged object that holds exactly this range of this archive, if a live job keeps it.
    func staged(archive: ArchiveUID, range: ByteRange) async throws(StorageError) -> StagedRow?
    /// Removes jobs that expired before `now`, and staged objects that no job needs any more (their blobs are doomed). Returns how many jobs went.
    func expireJobs(at now: Timestamp, limit: Int) async throws(StorageError) -> Int

    // MARK: Outbox

    /// Waiting messages due at `now`, at most one for each (job, topic): the one of the lowest sequence; the longest due first, and no
    /// more than `perTopic` for one topic, so that a dead target does not fill the page.
    func dueMessages(at now: Timestamp, perTopic: Int, limit: Int) async throws(StorageError) -> [OutboxRow]
    /// When the next waiting message becomes due, or nil.
    func nextMessage(after now: Timestamp) async throws(StorageError) -> Timestamp?
    /// Forgets a delivered or dropped message. Idempotent.
    func removeMessage(_ id: MessageUID, audit: AuditEntries) async throws(StorageError)
    /// Writes state, attempts, notBefore and lastFailure of a message that still exists. Idempotent.
    func updateMessage(_ message: OutboxRow, audit: AuditEntries) async throws(StorageError)
    func message(_ id: MessageUID) async throws(StorageError) -> OutboxRow?
    /// Messages of an account in a state by id.
    func messages(
        account: AccountID, state: OutboxRow.State, after: MessageUID?, limit: Int
    ) async throws(StorageError) -> [OutboxRow]

    // MARK: Doomed blobs

    func doom(_ blobs: [DoomedBlob]) async throws(StorageError)
    func doomedBlobs(at now: Timestamp, limit: Int) async throws(StorageError) -> [DoomedBlob]
    /// Whether a decision has named the blob, due or not.
    func isDoomed(_ blob: String, in store: DoomedBlob.Store) async throws(StorageError) -> Bool
    func forgetDoomed(_ blobs: [DoomedBlob]) async throws(StorageError)

    /// Names a record that is about to be written and would take something away, as doomed without a date: a record whose change is never
    /// committed must not be believed by a later rebuild. The commit that it stands behind takes the announcement back; ``doom(_:)`` dates it.
    func announce(_ record: AnnouncedRecord) async throws(StorageError) -> Announcement
    /// Announced records whose change was never committed: of earlier lives when asked before anything is announced in this one.
    func announcedRecords(limit: Int) async throws(StorageError) -> [DoomedBlob]

    // MARK: Service

    /// How many rows hang on each key version.
    func keyReferences() async throws(StorageError) -> KeyReferences
    /// Small facts of the service (for instance the highest time seen).
    func fact(_ name: String) async throws(StorageError) -> String?
    func setFact(_ name: String, _ value: String, audit: AuditEntries) async throws(StorageError)
    /// Writes a consistent copy of the whole catalog to `path`, from the connection that writes. Durable on return.
    func backup(to path: String) async throws(StorageError)
    /// Totals for metrics.
    func totals() async throws(StorageError) -> CatalogTotals
    func close() async
}

public enum VaultCreation: Hashable, Sendable { case created, exists(VaultRow), limitExceeded }
public enum VaultDeletion: Hashable, Sendable { case deleting(VaultRow), notEmpty, absent }
public enum ArchiveCommit: Hashable, Sendable {
    case stored
    /// The vault is gone or going.
    case vaultGone
    /// The upload is not open any more: what it became.
    case uploadClosed(UploadRow.State)
    /// A part arrived meanwhile.
    case uploadChanged
}
public enum PartCommit: Hashable, Sendable {
    /// Stored, in place of an older write or not.
    case stored
    /// A newer write of the same part is there; this one's blob is doomed.
    case superseded
    case uploadClosed
}
public enum ArchiveDeletion: Hashable, Sendable {
    case deleted
    /// Or unknown.
    case alreadyDeleted
    /// The vault is not at the generation that the caller has judged.
    case vaultChanged
}
public enum JobInsertion: Hashable, Sendable {
    case inserted(isProvisioned: Bool)
    case vaultGone
    /// What there is already counts `bytes` against the quota.
    case overQuota(bytes: UInt64)
}
public enum UploadAbort: Hashable, Sendable { case aborted, alreadyAborted, completed, absent }
public enum JobFinish: Hashable, Sendable {
    case finished
    /// Another epoch or owner has it, or it is gone.
    case leaseLost
    /// The archive was deleted before the output was ready.
    case archiveDeleted
}

public struct KeyReferences: Hashable, Sendable {
    /// Master key version → vault keys, accounts, their settings, users, topics, access keys and messages sealed under it.
    public var master: [UInt32: UInt64]
    /// Vault → vault key version → everything of the vault that needs the version to be opened: archives in any state, open uploads,
    /// parts, jobs, staged objects, settings.
    public var vaults: [VaultUID: [UInt32: UInt64]]
    public init(master: [UInt32: UInt64], vaults: [VaultUID: [UInt32: UInt64]]) {
        self.master = master
        self.vaults = vaults
    }
}

public struct CatalogTotals: Hashable, Sendable {
    public var vaults: UInt64
    public var archives: UInt64
    public var bytes: UInt64
    public var openUploads: UInt64
    public var queuedJobs: UInt64
    public var doomedBlobs: UInt64
    public var waitingMessages: UInt64
    public var deadMessages: UInt64
    public init(
        vaults: UInt64, archives: UInt64, bytes: UInt64, openUploads: UInt64, queuedJobs: UInt64, doomedBlobs: UInt64,
        waitingMessages: UInt64 = 0, deadMessages: UInt64 = 0
    ) {
        self.vaults = vaults
        self.archives = archives
        self.bytes = bytes
        self.openUploads = openUploads
        self.queuedJobs = queuedJobs
        self.doomedBlobs = doomedBlobs
        self.waitingMessages = waitingMessages
        self.deadMessages = deadMessages
    }
}
