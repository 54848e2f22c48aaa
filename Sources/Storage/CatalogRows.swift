// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// An opaque sealed column: ciphertext under a key version; only the engine can open it.
public struct SealedColumnValue: Hashable, Sendable {
    public let keyVersion: UInt32
    public let bytes: [UInt8]
    public init(keyVersion: UInt32, bytes: [UInt8]) {
        self.keyVersion = keyVersion
        self.bytes = bytes
    }
}

/// An account. `generation` is that of its newest durable state record.
public struct AccountRow: Hashable, Sendable {
    public enum State: String, Sendable { case active, disabled }
    public let id: AccountID
    public var state: State
    public let created: Timestamp
    public var generation: UInt64
    /// The master key version that seals the account's record, settings and secrets.
    public var masterVersion: UInt32
    /// Retrieval policies and provisioned capacity, sealed; nil while there are none.
    public var settings: SealedColumnValue?
    public init(
        id: AccountID, state: State, created: Timestamp, generation: UInt64, masterVersion: UInt32, settings: SealedColumnValue? = nil
    ) {
        self.id = id
        self.state = state
        self.created = created
        self.generation = generation
        self.masterVersion = masterVersion
        self.settings = settings
    }
}

/// Everything that belongs to an account and is replaced together with it.
public struct AccountMembers: Hashable, Sendable {
    public var accessKeys: [AccessKeyRow]
    public var users: [UserRow]
    public var topics: [TopicRow]
    public init(accessKeys: [AccessKeyRow] = [], users: [UserRow] = [], topics: [TopicRow] = []) {
        self.accessKeys = accessKeys
        self.users = users
        self.topics = topics
    }
}

/// A user of an account; the identity policies are sealed under the master key.
public struct UserRow: Hashable, Sendable {
    public enum State: String, Sendable { case active, disabled }
    public let account: AccountID
    public let name: UserName
    public var state: State
    public let created: Timestamp
    public var policies: SealedColumnValue
    public init(account: AccountID, name: UserName, state: State, created: Timestamp, policies: SealedColumnValue) {
        self.account = account
        self.name = name
        self.state = state
        self.created = created
        self.policies = policies
    }
}

/// A topic of an account; where its messages go is sealed under the master key.
public struct TopicRow: Hashable, Sendable {
    public let topic: TopicARN
    public let created: Timestamp
    public var target: SealedColumnValue
    public var account: AccountID { topic.account }
    public init(topic: TopicARN, created: Timestamp, target: SealedColumnValue) {
        self.topic = topic
        self.created = created
        self.target = target
    }
}

/// An access key; its secret is sealed under the master key.
public struct AccessKeyRow: Hashable, Sendable {
    public enum State: String, Sendable { case active, disabled }
    public let id: String
    public let account: AccountID
    /// Whose key it is; nil for the account's root. The user exists.
    public let user: UserName?
    public var state: State
    public let created: Timestamp
    public var secret: SealedColumnValue
    public init(
        id: String, account: AccountID, user: UserName? = nil, state: State, created: Timestamp, secret: SealedColumnValue
    ) {
        self.id = id
        self.account = account
        self.user = user
        self.state = state
        self.created = created
        self.secret = secret
    }
}

/// One version of a vault key, wrapped under a master key version.
public struct VaultKeyWrap: Hashable, Sendable {
    public let version: UInt32
    public let created: Timestamp
    public let masterVersion: UInt32
    public let wrapped: [UInt8]
    public init(version: UInt32, created: Timestamp, masterVersion: UInt32, wrapped: [UInt8]) {
        self.version = version
        self.created = created
        self.masterVersion = masterVersion
        self.wrapped = wrapped
    }
}

/// A vault with its live counts.
public struct VaultRow: Hashable, Sendable {
    public enum State: String, Sendable {
        case active
        /// DeleteVault has begun: nothing may be added; a restart finishes it.
        case deleting
        /// Gone for every client; the row keeps the keys until the bytes of its last deleted archive are gone.
        case deleted
    }
    public let uid: VaultUID
    public let location: VaultLocation
    public var state: State
    public let created: Timestamp
    /// Of its newest durable state record.
    public var generation: UInt64
    /// `lz4`, `none`, or nil for the service's default.
    public var compression: String?
    /// Every version that still exists, oldest first; the last one serves new archives.
    public var keys: [VaultKeyWrap]
    /// Tags, policies and the like, sealed; nil while there are none.
    public var settings: SealedColumnValue?
    /// Live: archives that are not deleted, and their true bytes. Kept by the catalog, ignored on writes.
    public var archiveCount: UInt64
    public var totalBytes: UInt64
    /// When an archive was last added or deleted. Kept by the catalog, ignored on writes.
    public var lastChange: Timestamp?
    public init(
        uid: VaultUID, location: VaultLocation, state: State, created: Timestamp, generation: UInt64, compression: String?,
        keys: [VaultKeyWrap], settings: SealedColumnValue?, archiveCount: UInt64 = 0, totalBytes: UInt64 = 0,
        lastChange: Timestamp? = nil
    ) {
        self.uid = uid
        self.location = location
        self.state = state
        self.created = created
        self.generation = generation
        self.compression = compression
        self.keys = keys
        self.settings = settings
        self.archiveCount = archiveCount
        self.totalBytes = totalBytes
        self.lastChange = lastChange
    }
}

/// A complete archive. Where its parts lie is in its manifest.
public struct ArchiveRow: Hashable, Sendable {
    public enum State: String, Sendable { case stored, deleted }
    public let uid: ArchiveUID
    public let id: String
    public let vault: VaultUID
    public var state: State
    public let created: Timestamp
    public let size: UInt64
    public let partCount: UInt32
    /// Of the newest durable manifest.
    public var generation: UInt64
    /// The vault key version that seals manifest and data key.
    public var keyVersion: UInt32
    /// Description and tree hash.
    public var sealed: SealedColumnValue
    /// When deleted: when it was, and when its bytes may go.
    public var deleted: Timestamp?
    public var purgeAfter: Timestamp?
    /// When every byte of it was last read and found or not found right; nil: never.
    public var verified: Timestamp?
    /// What the last verification found wrong.
    public var damage: ArchiveDamage?
    public init(
        uid: ArchiveUID, id: String, vault: VaultUID, state: State, created: Timestamp, size: UInt64, partCount: UInt32,
        generation: UInt64, keyVersion: UInt32, sealed: SealedColumnValue, deleted: Timestamp? = nil, purgeAfter: Timestamp? = nil,
        verified: Timestamp? = nil, damage: ArchiveDamage? = nil
    ) {
        self.uid = uid
        self.id = id
        self.vault = vault
        self.state = state
        self.created = created
        self.size = size
        self.partCount = partCount
        self.generation = generation
        self.keyVersion = keyVersion
        self.sealed = sealed
        self.deleted = deleted
        self.purgeAfter = purgeAfter
        self.verified = verified
        self.damage = damage
    }
}

/// A multipart upload.
public struct UploadRow: Hashable, Sendable {
    public enum State: String, Sendable { case open, completed, aborted }
    public let uid: UploadUID
    public let id: String
    public let vault: VaultUID
    public let archive: ArchiveUID
    public let archiveID: String
    public var state: State
    public let created: Timestamp
    /// Creation or the last part stored, whichever is later. Kept by the catalog after insertion.
    public var lastActivity: Timestamp
    public let partBytes: UInt64
    public var generation: UInt64
    public var keyVersion: UInt32
    /// Goes up with every part stored. Kept by the catalog.
    public var revision: UInt64
    /// The wrapped data key of the archive to be (opaque here), and description.
    public var wrappedDataKey: [UInt8]
    public var sealed: SealedColumnValue
    public init(
        uid: UploadUID, id: String, vault: VaultUID, archive: ArchiveUID, archiveID: String, state: State, created: Timestamp,
        lastActivity: Timestamp, partBytes: UInt64, generation: UInt64, keyVersion: UInt32, revision: UInt64,
        wrappedDataKey: [UInt8], sealed: SealedColumnValue
    ) {
        self.uid = uid
        self.id = id
        self.vault = vault
        self.archive = archive
        self.archiveID = archiveID
        self.state = state
        self.created = created
        self.lastActivity = lastActivity
        self.partBytes = partBytes
        self.generation = generation
        self.keyVersion = keyVersion
        self.revision = revision
        self.wrappedDataKey = wrappedDataKey
        self.sealed = sealed
    }
}

/// A part of an open upload.
public struct PartRow: Hashable, Sendable {
    public let upload: UploadUID
    public let index: UInt32
    /// Which write of this part; the highest wins.
    public let number: UInt64
    public let length: UInt64
    public let blob: String
    public let blobBytes: UInt64
    /// Tree hash, ciphertext hash and seal header.
    public let sealed: SealedColumnValue
    public init(
        upload: UploadUID, index: UInt32, number: UInt64, length: UInt64, blob: String, blobBytes: UInt64, sealed: SealedColumnValue
    ) {
        self.upload = upload
        self.index = index
        self.number = number
        self.length = length
        self.blob = blob
        self.blobBytes = blobBytes
        self.sealed = sealed
    }
}

/// A retrieval or inventory job.
public struct JobRow: Hashable, Sendable {
    public enum Action: String, Sendable { case archiveRetrieval, inventoryRetrieval }
    /// The life cycle that clients see; "leased" is a queued job with an owner.
    public enum State: String, Sendable { case queued, leased, succeeded, failed }

    public let uid: JobUID
    public let id: String
    public let vault: VaultUID
    public let account: AccountID
    public let action: Action
    public let tier: String?
    public var state: State
    public let created: Timestamp
    /// May be moved by the data retrieval policy when the job is inserted.
    public var notBefore: Timestamp
    public let deadline: Timestamp
    /// Archive jobs: which, and which bytes of it (always given, also for the whole).
    public let archive: ArchiveUID?
    public let archiveID: String?
    public let archiveSize: UInt64?
    public let range: ByteRange?
    /// Expedited, and covered by a unit of provisioned capacity: it never waits behind others. Decided when the job is inserted.
    public var isProvisioned: Bool
    /// Description, topic, hashes, inventory parameters and outcome texts: the engine's own document.
    public var sealed: SealedColumnValue
    public var completed: Timestamp?
    /// When output and job go away; set at completion.
    public var expires: Timestamp?
    /// The staged object that holds the output; nil for an output served in place.
    public var staged: StagedUID?
    public var outputBytes: UInt64?
    /// The owner's epoch and until when it may believe to own the job.
    public var leaseEpoch: UInt64?
    public var leaseUntil: Timestamp?
    /// Leases that nobody handed back, the one held now included: how often a process died with the job, plus one while it is at work.
    public var attempts: UInt32
    public init(
        uid: JobUID, id: String, vault: VaultUID, account: AccountID, action: Action, tier: String?, state: State,
        created: Timestamp, notBefore: Timestamp, deadline: Timestamp, archive: ArchiveUID?, archiveID: String?,
        archiveSize: UInt64?, range: ByteRange?, isProvisioned: Bool = false, sealed: SealedColumnValue, completed: Timestamp? = nil,
        expires: Timestamp? = nil, staged: StagedUID? = nil, outputBytes: UInt64? = nil, leaseEpoch: UInt64? = nil,
        leaseUntil: Timestamp? = nil, attempts: UInt32 = 0
    ) {
        self.uid = uid
        self.id = id
        self.vault = vault
        self.account = account
        self.action = action
        self.tier = tier
        self.state = state
        self.created = created
        self.notBefore = notBefore
        self.deadline = deadline
        self.archive = archive
        self.archiveID = archiveID
        self.archiveSize = archiveSize
        self.range = range
        self.isProvisioned = isProvisioned
        self.sealed = sealed
        self.completed = completed
        self.expires = expires
        self.staged = staged
        self.outputBytes = outputBytes
        self.leaseEpoch = leaseEpoch
        self.leaseUntil = leaseUntil
        self.attempts = attempts
    }
}

/// An object of the warm store with its own key, shared by the jobs that point to it.
public struct StagedRow: Hashable, Sendable {
    public let uid: StagedUID
    public let vault: VaultUID
    public let blob: String
    public let blobBytes: UInt64
    /// Set for archive output: what it holds, so that later jobs for the same range share it.
    public let archive: ArchiveUID?
    public let range: ByteRange?
    public let created: Timestamp
    /// The wrapped random key and the seal header (the engine's own document).
    public let sealed: SealedColumnValue
    public init(
        uid: StagedUID, vault: VaultUID, blob: String, blobBytes: UInt64, archive: ArchiveUID?, range: ByteRange?,
        created: Timestamp, sealed: SealedColumnValue
    ) {
        self.uid = uid
        self.vault = vault
        self.blob = blob
        self.blobBytes = blobBytes
        self.archive = archive
        self.range = range
        self.created = created
        self.sealed = sealed
    }
}

/// A blob that a durable decision has named for deletion.
public struct DoomedBlob: Hashable, Sendable {
    public enum Store: String, Sendable { case cold, warm }
    /// When what was announced goes: not while its change may still be committed.
    public static let undated = Timestamp(milliseconds: .max)
    public let id: String
    public let store: Store
    public let notBefore: Timestamp
    public init(id: String, store: Store, notBefore: Timestamp) {
        self.id = id
        self.store = store
        self.notBefore = notBefore
    }
}

/// A record that says that something is no more, before it is written.
public struct AnnouncedRecord: Hashable, Sendable {
    public enum Subject: Hashable, Sendable {
        case deletion(of: ArchiveUID)
        case abort(of: UploadUID)
    }
    public let blob: String
    public let subject: Subject
    public init(blob: String, subject: Subject) {
        self.blob = blob
        self.subject = subject
    }
}

public enum Announcement: Hashable, Sendable {
    case announced
    /// The blob is doomed for another reason and may go any time: choose another name.
    case nameTaken
    /// The archive is not stored, or the upload not open, any more; nothing was announced.
    case settled
}

/// A message on its way to a topic: written in the transaction that completes its job, gone when it is delivered.
public struct OutboxRow: Hashable, Sendable {
    public enum State: String, Sendable {
        case waiting
        /// Given up after the last attempt; stays until an operator sends it again or drops it.
        case dead
    }
    /// Stable over all attempts: receivers tell repetitions by it.
    public let id: MessageUID
    public let topic: TopicARN
    /// The account that owns the vault and the job.
    public let account: AccountID
    /// The job the message is about: its messages to one topic are delivered in the order of `sequence`.
    public let job: JobUID
    public let sequence: UInt32
    public let created: Timestamp
    public var state: State
    public var attempts: UInt32
    public var notBefore: Timestamp
    /// Why the last attempt failed; never a secret.
    public var lastFailure: String?
    /// The message, sealed under the master key, context: table `outbox` and the message's uid.
    public let sealed: SealedColumnValue
    public init(
        id: MessageUID, topic: TopicARN, account: AccountID, job: JobUID, sequence: UInt32, created: Timestamp, state: State = .waiting,
        attempts: UInt32 = 0, notBefore: Timestamp, lastFailure: String? = nil, sealed: SealedColumnValue
    ) {
        self.id = id
        self.topic = topic
        self.account = account
        self.job = job
        self.sequence = sequence
        self.created = created
        self.state = state
        self.attempts = attempts
        self.notBefore = notBefore
        self.lastFailure = lastFailure
        self.sealed = sealed
    }
}

/// Bounds that are judged in the transaction that inserts a job.
public struct JobAdmission: Hashable, Sendable {
    /// What Standard archive retrievals of the account in the region may come to, this job's bytes included.
    public enum Quota: Hashable, Sendable {
        /// Bytes of those not finished.
        case unfinished(maxBytes: UInt64)
        /// Bytes of those that may start at that moment or later (`notBefore`), finished or not: a job that was made to wait counts when it
        /// starts.
        case since(Timestamp, maxBytes: UInt64)
    }
    /// An Expedited job is provisioned when fewer than `max` provisioned ones of the account and region were created since.
    public struct Capacity: Hashable, Sendable {
        public let since: Timestamp
        public let max: Int
        public init(since: Timestamp, max: Int) {
            self.since = since
            self.max = max
        }
    }
    public var region: Region
    public var quota: Quota?
    public var capacity: Capacity?
    public init(region: Region, quota: Quota? = nil, capacity: Capacity? = nil) {
        self.region = region
        self.quota = quota
        self.capacity = capacity
    }
}
