// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography

/// What is known about a download under way: one canonical JSON object per line, only ever appended to.
///
/// Lines: the identity (always first), the job, the plan, and each range whose bytes were verified and written. A torn
/// or unreadable line ends the journal: what follows it is downloaded again. It is not fsynced, because on resumption
/// every range it names is hashed again from the disk before it counts.
struct RetrievalJournal: Sendable, Equatable {
    /// 10,000 ranges of about 100 bytes, and room for many resumptions.
    static let maxBytes = 16 << 20
    private static let format = "coldvault-download"

    /// What the download is of; a journal of something else is never continued.
    struct Identity: Sendable, Equatable {
        let vault: String
        /// Nil when only a job was named.
        let archiveID: String?
        /// The job that was named in place of an archive; otherwise nil, because another job brings the same bytes.
        let jobID: String?
        let range: Range<UInt64>?
    }

    let identity: Identity
    private(set) var jobID: String?
    private(set) var plan: RangePlan?
    private(set) var treeHash: SHA256Digest?
    private(set) var verified: [Int: SHA256Digest] = [:]

    init(_ identity: Identity) { self.identity = identity }

    /// Nil when `bytes` do not begin with an identity this version knows.
    init?(decoding bytes: [UInt8]) {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).makeIterator()
        // Unreadable means unknown, and unknown means the caller refuses to touch the files.
        guard let first = lines.next(), let head = try? WireDocument(parsing: Array(first), what: "journal"),
            head.string("format") == Self.format, head.count("version") == 1, let vault = head.string("vault")
        else { return nil }
        self.init(
            Identity(
                vault: vault, archiveID: head.string("archiveId"), jobID: head.string("jobId"),
                range: head.string("range").flatMap(ByteRangeText.parse)))
        while let line = lines.next(), let entry = try? WireDocument(parsing: Array(line), what: "journal"),
            apply(entry)
        {}
    }

    private mutating func apply(_ entry: WireDocument) -> Bool {
        if let id = entry.string("jobId") {
            jobID = id
        } else if let total = entry.count("totalBytes"), let piece = entry.count("pieceBytes"),
            PartSizing.isPartSize(piece)
        {
            begin(
                RangePlan(totalBytes: total, pieceBytes: piece),
                treeHash: entry.string("treeHash").flatMap { SHA256Digest(hex: $0) })
        } else if let index = entry.count("index"),
            let hash = entry.string("treeHash").flatMap({ SHA256Digest(hex: $0) }),
            let plan, index < UInt64(plan.count)
        {
            verified[Int(index)] = hash
        } else {
            return false
        }
        return true
    }

    mutating func begin(_ plan: RangePlan, treeHash: SHA256Digest?) {
        self.plan = plan
        self.treeHash = treeHash
        verified = [:]
    }

    static func line(_ identity: Identity) -> [UInt8] {
        var members: [String: JSONValue] = [
            "format": .string(format), "version": .integer(1), "vault": .string(identity.vault),
        ]
        if let id = identity.archiveID { members["archiveId"] = .string(id) }
        if let id = identity.jobID { members["jobId"] = .string(id) }
        if let range = identity.range { members["range"] = .string(ByteRangeText.format(range)) }
        return line(members)
    }

    static func line(jobID: String) -> [UInt8] { line(["jobId": .string(jobID)]) }

    static func line(_ plan: RangePlan, treeHash: SHA256Digest?) -> [UInt8] {
        line([
            "totalBytes": .integer(Int64(clamping: plan.totalBytes)),
            "pieceBytes": .integer(Int64(clamping: plan.pieceBytes)),
            "treeHash": treeHash.map { .string($0.hex) } ?? .null,
        ])
    }

    static func line(verified index: Int, _ hash: SHA256Digest) -> [UInt8] {
        line(["index": .integer(Int64(index)), "treeHash": .string(hash.hex)])
    }

    private static func line(_ members: [String: JSONValue]) -> [UInt8] {
        JSONValue.object(members).canonicalBytes() + [UInt8(ascii: "\n")]
    }
}
