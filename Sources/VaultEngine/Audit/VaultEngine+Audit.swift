// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON
import Cryptography
import SealedArchive
import Storage
public import VaultModel

/// Which entries an operator wants to see.
public struct AuditQuery: Sendable, Hashable {
    /// Entries after this number.
    public var after: UInt64
    public var since: Timestamp?
    public var until: Timestamp?
    public var account: AccountID?
    /// The action, or the part before its colon.
    public var action: String?
    public var limit: Int
    public init(
        after: UInt64 = 0, since: Timestamp? = nil, until: Timestamp? = nil, account: AccountID? = nil, action: String? = nil,
        limit: Int = AuditQuery.maxLimit
    ) {
        self.after = after
        self.since = since
        self.until = until
        self.account = account
        self.action = action
        self.limit = limit
    }
    /// The most entries in one answer.
    public static let maxLimit = 1000
}

/// An opened entry.
public struct AuditEntryDescription: Sendable, Hashable {
    public let sequence: UInt64
    public let uid: AuditUID
    public let time: Timestamp
    /// The text that the digest covers.
    public let document: String
    /// 64 hexadecimal digits.
    public let link: String
    /// The document, parsed.
    public let members: JSONValue
}

public struct AuditPage: Sendable {
    public let entries: [AuditEntryDescription]
    /// What the first entry after the query's `after` is chained to: 64 hexadecimal digits.
    public let previousLink: String
    /// The last number that was looked at; nil when the log ends here.
    public let next: UInt64?
}

/// What a verification of the whole log found.
public struct AuditVerification: Sendable, Hashable {
    public let entries: UInt64
    public let segments: UInt64
    public let checkpoints: UInt64
    public let first: UInt64
    public let last: UInt64
    /// In words, the first hundred.
    public let faults: [String]
    public var isWhole: Bool { faults.isEmpty }

    public init(entries: UInt64, segments: UInt64, checkpoints: UInt64, first: UInt64, last: UInt64, faults: [String]) {
        self.entries = entries
        self.segments = segments
        self.checkpoints = checkpoints
        self.first = first
        self.last = last
        self.faults = faults
    }
}

extension VaultEngine {
    /// A page of the log. Reads at most eight segments' worth of entries, whatever the filter: then ``AuditPage/next`` says where to go on.
    public func auditPage(_ query: AuditQuery) async throws(VaultError) -> AuditPage {
        try await vaultErrors("reading the audit log") {
            let cipher = try auditCipher.get()
            let limit = max(1, min(query.limit, AuditQuery.maxLimit))
            var entries: [AuditEntryDescription] = []
            var position = query.after
            var previous: String?
            for _ in 0..<8 {
                let (head, rows) = try await auditRun(after: position, cipher)
                if previous == nil { previous = Hex.encode(head.link) }
                guard let last = rows.last else {
                    return AuditPage(entries: entries, previousLink: previous ?? Hex.encode(head.link), next: nil)
                }
                for row in rows {
                    if let entry = Self.describe(row, cipher), query.matches(entry) { entries.append(entry) }
                    if entries.count == limit {
                        return AuditPage(entries: entries, previousLink: previous ?? Hex.encode(head.link), next: row.sequence)
                    }
                }
                position = last.sequence
            }
            return AuditPage(entries: entries, previousLink: previous ?? Hex.encode(AuditHead.origin.link), next: position)
        }
    }

    private static func describe(_ row: AuditRow, _ cipher: AuditCipher) -> AuditEntryDescription? {
        guard let document = cipher.open(row), let members = try? JSONParser.parse(document) else { return nil }
        return AuditEntryDescription(
            sequence: row.sequence, uid: row.uid, time: row.time, document: String(decoding: document, as: UTF8.self),
            link: Hex.encode(row.head.link), members: members)
    }

    /// The entries after `sequence` that lie together, out of a segment or the catalog, and what the first is chained to.
    private func auditRun(after sequence: UInt64, _ cipher: AuditCipher) async throws -> (AuditHead, [AuditRow]) {
        let base = try await catalog.auditBase()
        if sequence >= base.sequence {
            let rows = try await catalog.auditEntries(after: max(sequence, base.sequence), limit: AuditSegment.maxEntries)
            guard sequence > base.sequence else { return (base, rows) }
            let before = try await catalog.auditEntries(after: sequence - 1, limit: 1).first?.head
            return (before ?? base, rows)
        }
        // The last segment that begins at or before the wanted entry.
        var found: UInt64?
        var after: UInt64?
        search: while true {
            let page = try await auditSegments(after: after, limit: 1000)
            for first in page {
                // An entry that is nowhere any more: the log begins with what there is.
                guard first <= sequence + 1 || found == nil else { break search }
                found = first
            }
            guard page.count == 1000, let last = page.last else { break }
            after = last
        }
        guard let found else { return (base, try await catalog.auditEntries(after: base.sequence, limit: AuditSegment.maxEntries)) }
        let segment = try await auditSegment(first: found, cipher)
        let rows = segment.rows.filter { $0.sequence > sequence }
        guard !rows.isEmpty else {
            throw VaultError(.integrity, "The audit log lacks entry \(sequence + 1): a segment is missing. Run coldvault audit verify.")
        }
        return (segment.rows.last { $0.sequence <= sequence }?.head ?? segment.previous, rows)
    }

    /// Reads and checks everything: segments, rows, and the heads that the kept checkpoints name.
    public func verifyAudit() async throws(VaultError) -> AuditVerification {
        try await vaultErrors("verifying the audit log") {
            let cipher = try auditCipher.get()
            let statements = try await keptCheckpoints()
            var walk = AuditWalk(cipher: cipher, checkpoints: statements.map(\.audit))
            var after: UInt64?
            while true {
                let page = try await auditSegments(after: after, limit: 1000)
                for first in page {
                    do {
                        walk.take(try await auditSegment(first: first, cipher))
                    } catch let error as VaultError {
                        walk.fault(error.message)
                    }
                }
                guard let last = page.last else { break }
                after = last
            }
            // Rows that are in segments, too, must be the same; those after them go on.
            let base = try await catalog.auditBase()
            walk.beginRows(after: base)
            var position = base.sequence
            while true {
                let rows = try await catalog.auditEntries(after: position, limit: AuditSegment.maxEntries)
                guard let last = rows.last else { break }
                walk.take(rows)
                position = last.sequence
            }
            return walk.finish()
        }
    }
}

extension AuditQuery {
    func matches(_ entry: AuditEntryDescription) -> Bool {
        if let since, entry.time < since { return false }
        if let until, entry.time > until { return false }
        if let account, entry.members["account"]?.stringValue != account.digits { return false }
        guard let action else { return true }
        let name = entry.members["action"]?.stringValue ?? ""
        return name == action || name.hasPrefix(action + ":")
    }
}
