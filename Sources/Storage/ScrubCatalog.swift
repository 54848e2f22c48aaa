// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// What proves that stored bytes are still good, and what is known about bytes that nobody names. A part of ``Catalog``.
public protocol ScrubCatalog: Sendable {
    /// Stored archives in the order in which they are to be verified next.
    ///
    /// - `newestUnverified`: never verified and created before `before`, the newest first.
    /// - `oldestVerified`: verified before `before`, those first whose verification is the oldest.
    func archivesForScrub(order: ScrubOrder, before: Timestamp, limit: Int) async throws(StorageError) -> [ArchiveRow]
    /// Writes down what a verification found: `damage` marks an archive, nil takes its mark away. Archives that changed their generation
    /// meanwhile or are not stored any more are left alone. Returns those whose mark changed.
    func recordVerifications(
        _ results: [ArchiveVerification], audit: AuditEntries
    ) async throws(StorageError) -> Set<ArchiveUID>
    /// Since when at least one stored archive has not been verified: the earliest creation of those never verified, or the earliest
    /// verification; nil when there is no archive.
    func oldestUnverified() async throws(StorageError) -> Timestamp?
    /// Marked archives in order of uid, of one vault or of all.
    func damagedArchives(
        vault: VaultUID?, after: ArchiveUID?, limit: Int
    ) async throws(StorageError) -> [ArchiveRow]

    /// Remembers blobs that nobody names. One that is known keeps when it was found.
    func putQuarantine(_ blobs: [QuarantinedBlob]) async throws(StorageError)
    /// By store and name.
    func quarantine(after: QuarantinedBlob?, limit: Int) async throws(StorageError) -> [QuarantinedBlob]
    /// Forgets them: they are named again, or gone. Idempotent.
    func removeQuarantine(_ blobs: [QuarantinedBlob]) async throws(StorageError)
}

public enum ScrubOrder: Hashable, Sendable { case newestUnverified, oldestVerified }

/// The outcome of verifying one archive.
public struct ArchiveVerification: Hashable, Sendable {
    public let uid: ArchiveUID
    /// The generation whose manifest was read.
    public let generation: UInt64
    public let verified: Timestamp
    /// What is wrong, in a few words without content; nil: everything is right.
    public let damage: String?
    public init(uid: ArchiveUID, generation: UInt64, verified: Timestamp, damage: String?) {
        self.uid = uid
        self.generation = generation
        self.verified = verified
        self.damage = damage
    }
}

/// Why an archive is marked.
public struct ArchiveDamage: Hashable, Sendable {
    /// When it was found first.
    public let found: Timestamp
    public let reason: String
    public init(found: Timestamp, reason: String) {
        self.found = found
        self.reason = reason
    }
}

/// A blob that no durable record names; it stays where it is.
public struct QuarantinedBlob: Hashable, Sendable {
    public let store: DoomedBlob.Store
    public let blob: String
    public let found: Timestamp
    public let reason: String
    public init(store: DoomedBlob.Store, blob: String, found: Timestamp, reason: String) {
        self.store = store
        self.blob = blob
        self.found = found
        self.reason = reason
    }
}
