// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// What the life of keys needs of the catalog: what hangs on a version, moving it to another, and destroying versions. A part of
/// ``Catalog``. Nothing here opens anything: new sealed values come from the caller.
public protocol KeyCatalog: Sendable {
    /// Archives in any state whose manifest and data key are under that version, in order of arrival.
    func archivesUnderKey(vault: VaultUID, version: UInt32, limit: Int) async throws(StorageError) -> [ArchiveRow]
    /// Writes generation, key version and sealed column of those archives that still exist at their expected generation; returns which.
    /// The manifests of replaced generations are for the caller to doom afterwards.
    func rewrapArchives(_ changes: [ArchiveRewrap], audit: AuditEntries) async throws(StorageError) -> Set<ArchiveUID>
    /// Open uploads whose data key is under that version, or that have a sealed column or a part's sealed column under it.
    func uploadsUnderKey(vault: VaultUID, version: UInt32, limit: Int) async throws(StorageError) -> [UploadRow]
    /// Writes generation, key version, wrapped data key, sealed column and the sealed columns of the given parts, if the upload is open
    /// at its expected generation and revision; false and no change otherwise.
    func rewrapUpload(_ change: UploadRewrap, audit: AuditEntries) async throws(StorageError) -> Bool
    /// Jobs whose sealed column is under that version.
    func jobsUnderKey(vault: VaultUID, version: UInt32, limit: Int) async throws(StorageError) -> [JobRow]
    /// Staged objects whose sealed column is under that version.
    func stagedUnderKey(vault: VaultUID, version: UInt32, limit: Int) async throws(StorageError) -> [StagedRow]
    /// Replaces the sealed columns of jobs that still hold `old`; returns which.
    func resealJobs(_ changes: [Reseal<JobUID>]) async throws(StorageError) -> Set<JobUID>
    /// Replaces the sealed columns of staged objects that still hold `old`; returns which.
    func resealStaged(_ changes: [Reseal<StagedUID>]) async throws(StorageError) -> Set<StagedUID>

    /// Inserts or replaces what is known about the end of a key version.
    func putKeyDestruction(_ destruction: KeyDestructionRow, audit: AuditEntries) async throws(StorageError)
    func keyDestruction(_ key: KeyVersionName) async throws(StorageError) -> KeyDestructionRow?
    /// In order of names: the master key's first, then by vault and version.
    func keyDestructions(after: KeyVersionName?, limit: Int) async throws(StorageError) -> [KeyDestructionRow]
    /// Takes back the request and keeps the certificate. False when there is no request, or when it was finished.
    func cancelKeyDestruction(_ key: KeyVersionName, audit: AuditEntries) async throws(StorageError) -> Bool
    /// Marks a requested destruction as done. `.conflict` while anything hangs on the version: nothing is changed.
    func finishKeyDestruction(
        _ key: KeyVersionName, at now: Timestamp, receipt: String?, audit: AuditEntries
    ) async throws(StorageError)

    /// Ends the grace of a deleted archive now, and the life of its staged outputs.
    func purgeNow(_ archive: ArchiveUID, at now: Timestamp, audit: AuditEntries) async throws(StorageError) -> PurgeNow
    /// Moves the write-ahead log into the file and empties it, so that overwritten rows are nowhere any more; waits for readers.
    /// `.transient` when they do not end in time.
    func truncateLog() async throws(StorageError)
}

/// An archive's new key: see ``KeyCatalog/rewrapArchives(_:audit:)``.
public struct ArchiveRewrap: Hashable, Sendable {
    public let uid: ArchiveUID
    public let expectedGeneration: UInt64
    public let newGeneration: UInt64
    public let newKeyVersion: UInt32
    public let newSealed: SealedColumnValue
    public init(
        uid: ArchiveUID, expectedGeneration: UInt64, newGeneration: UInt64, newKeyVersion: UInt32, newSealed: SealedColumnValue
    ) {
        self.uid = uid
        self.expectedGeneration = expectedGeneration
        self.newGeneration = newGeneration
        self.newKeyVersion = newKeyVersion
        self.newSealed = newSealed
    }
}

/// An open upload's new key: see ``KeyCatalog/rewrapUpload(_:audit:)``.
public struct UploadRewrap: Hashable, Sendable {
    public let uid: UploadUID
    public let expectedGeneration: UInt64
    /// No part came since the caller read the parts.
    public let expectedRevision: UInt64
    public let newGeneration: UInt64
    public let newKeyVersion: UInt32
    public let newWrappedDataKey: [UInt8]
    public let newSealed: SealedColumnValue
    /// By index of the part.
    public let newParts: [UInt32: SealedColumnValue]
    public init(
        uid: UploadUID, expectedGeneration: UInt64, expectedRevision: UInt64, newGeneration: UInt64, newKeyVersion: UInt32,
        newWrappedDataKey: [UInt8], newSealed: SealedColumnValue, newParts: [UInt32: SealedColumnValue]
    ) {
        self.uid = uid
        self.expectedGeneration = expectedGeneration
        self.expectedRevision = expectedRevision
        self.newGeneration = newGeneration
        self.newKeyVersion = newKeyVersion
        self.newWrappedDataKey = newWrappedDataKey
        self.newSealed = newSealed
        self.newParts = newParts
    }
}

/// A sealed column replaced by the same content under another key.
public struct Reseal<UID: UniqueIdentifier>: Hashable, Sendable {
    public let uid: UID
    public let old: SealedColumnValue
    public let new: SealedColumnValue
    public init(uid: UID, old: SealedColumnValue, new: SealedColumnValue) {
        self.uid = uid
        self.old = old
        self.new = new
    }
}

/// One version of one key.
public enum KeyVersionName: Hashable, Sendable {
    case master(version: UInt32)
    case vault(VaultUID, version: UInt32)

    public var version: UInt32 {
        switch self {
        case .master(let version), .vault(_, let version): version
        }
    }
}

/// What is known about the end of a key version.
public struct KeyDestructionRow: Hashable, Sendable {
    public let key: KeyVersionName
    /// When it was proved that nothing hangs on the version, and the signed statement that says so.
    public var certified: Timestamp
    public var certificate: String
    /// When its destruction was asked for, and when it is due; nil: not asked for.
    public var requested: Timestamp?
    public var due: Timestamp?
    /// When it was destroyed, and the signed receipt.
    public var finished: Timestamp?
    public var receipt: String?
    public init(
        key: KeyVersionName, certified: Timestamp, certificate: String, requested: Timestamp? = nil, due: Timestamp? = nil,
        finished: Timestamp? = nil, receipt: String? = nil
    ) {
        self.key = key
        self.certified = certified
        self.certificate = certificate
        self.requested = requested
        self.due = due
        self.finished = finished
        self.receipt = receipt
    }
}

public enum PurgeNow: Hashable, Sendable {
    /// Its bytes are purgeable. Its staged outputs are gone, their jobs with them, and these blobs of the warm store are doomed.
    case due(outputs: [String])
    /// An output served in place needs the bytes until then; they are purgeable at that moment.
    case pinned(until: Timestamp)
    /// It is stored, or unknown.
    case notDeleted
}
