// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// An entry of the audit log before it has its place in it: sealed by the engine, numbered and chained by the catalog.
public struct AuditDraft: Hashable, Sendable {
    public let uid: AuditUID
    public let time: Timestamp
    /// The entry's document under a version of the audit key, context: table `audit` and the uid.
    public let sealed: SealedColumnValue
    /// SHA-256 of the document, which holds random bytes of its own: it proves the document and tells nothing about it.
    public let digest: [UInt8]
    public init(uid: AuditUID, time: Timestamp, sealed: SealedColumnValue, digest: [UInt8]) {
        precondition(digest.count == 32, "a digest is 32 bytes")
        self.uid = uid
        self.time = time
        self.sealed = sealed
        self.digest = digest
    }
}

/// Where a log stands after an entry: what the next one is chained to.
public struct AuditHead: Hashable, Sendable {
    /// Of the last entry; 0 before the first.
    public let sequence: UInt64
    /// Over the opened documents: 32 bytes that anybody who may read the log can compute.
    public let link: [UInt8]
    /// Over the stored bytes: 32 bytes that only who holds the audit key can compute.
    public let tag: [UInt8]
    public init(sequence: UInt64, link: [UInt8], tag: [UInt8]) {
        self.sequence = sequence
        self.link = link
        self.tag = tag
    }

    /// Before the first entry.
    public static let origin = AuditHead(
        sequence: 0, link: [UInt8](repeating: 0, count: 32), tag: [UInt8](repeating: 0, count: 32))
}

/// An entry in its place.
public struct AuditRow: Hashable, Sendable {
    public let uid: AuditUID
    public let time: Timestamp
    public let sealed: SealedColumnValue
    /// The log up to and with this entry.
    public let head: AuditHead
    public var sequence: UInt64 { head.sequence }
    public init(uid: AuditUID, time: Timestamp, sealed: SealedColumnValue, head: AuditHead) {
        self.uid = uid
        self.time = time
        self.sealed = sealed
        self.head = head
    }
}

/// How entries are chained (Docs/Formats/Audit-v1.md): pure, quick, and called inside the catalog's transaction, so that numbers and
/// chain are given in the order of the commits. It holds the key; the catalog does not.
public protocol AuditChain: Sendable {
    /// The head after `draft` at `head.sequence + 1`.
    func head(after head: AuditHead, appending draft: AuditDraft) -> AuditHead
}

/// What a transaction adds to the audit log, if it makes its change; see ``Catalog``.
public struct AuditEntries: Sendable {
    public let drafts: [AuditDraft]
    /// Nil only without drafts.
    public let chain: (any AuditChain)?

    public init(_ drafts: [AuditDraft], chain: any AuditChain) {
        self.drafts = drafts
        self.chain = chain
    }

    private init() {
        drafts = []
        chain = nil
    }

    /// For a transaction that nobody need ever account for.
    public static let none = AuditEntries()
}

/// The audit log as far as it lies in the catalog. A part of ``Catalog``; its general laws hold, and these:
///  1. Entries are numbered from 1 without a gap in the order of their commits, and each head is what the chain makes of the one before.
///  2. Drafts given to a transaction are appended in it if, and only if, it makes its change; in the given order.
///  3. Nothing but ``trimAudit(through:keep:)`` and ``continueAudit(from:)`` removes entries.
public protocol AuditCatalog: Sendable {
    func appendAudit(_ entries: AuditEntries) async throws(StorageError)
    /// The head of the whole log.
    func auditHead() async throws(StorageError) -> AuditHead
    /// What the oldest entry still here is chained to; the head when there is none.
    func auditBase() async throws(StorageError) -> AuditHead
    /// Entries after `sequence`, in order.
    func auditEntries(after sequence: UInt64, limit: Int) async throws(StorageError) -> [AuditRow]
    /// Forgets entries up to `sequence`, which are durable elsewhere, but not the newest `keep`. Returns how many went; at most 10,000
    /// in one call.
    func trimAudit(through sequence: UInt64, keep: Int) async throws(StorageError) -> Int
    /// For a catalog that is behind the exported log (rebuilt, or restored from a backup): forgets its entries, so that the next one
    /// follows `head`. `.conflict` unless the log here ends before `head`.
    func continueAudit(from head: AuditHead) async throws(StorageError)
}
