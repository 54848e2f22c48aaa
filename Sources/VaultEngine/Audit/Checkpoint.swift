// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
public import SealedArchive
import Storage
import Synchronization
public import VaultModel

/// Why a checkpoint was made.
public enum CheckpointReason: String, Sendable { case start, stop, interval, backup, `operator` }

/// How catalog and blobs stand to each other (Docs/Formats/Checkpoint-v1.md §3).
public enum HistoryState: Sendable, Hashable {
    case consistent
    case catalogRolledBack(catalog: UInt64, blobs: UInt64)
    case blobsRolledBack(catalog: UInt64, blobs: UInt64)
    /// Both name this generation, and mean different checkpoints.
    case differentHistories(generation: UInt64)

    public var isConsistent: Bool { self == .consistent }

    /// For logs, health and operators.
    public var text: String {
        switch self {
        case .consistent: "catalog and blobs are of one history"
        case .catalogRolledBack(let catalog, let blobs):
            "the catalog was rolled back: it knows checkpoint \(catalog), the blobs hold checkpoint \(blobs)"
        case .blobsRolledBack(let catalog, let blobs):
            "the blob area was rolled back: the catalog knows checkpoint \(catalog), the newest blob is checkpoint \(blobs)"
        case .differentHistories(let generation):
            "catalog and blobs are of different histories: each holds another checkpoint \(generation)"
        }
    }
}

/// A checkpoint as it was signed.
public struct Checkpoint: Sendable, Hashable {
    public let generation: UInt64
    /// SHA-256 of the statement before, hex.
    public let previous: String
    public let reason: String
    public let created: Timestamp
    public let auditSequence: UInt64
    public let auditLink: [UInt8]
    public let auditTag: [UInt8]
    let openUploads: UInt64
    /// The signed statement.
    public let statement: [UInt8]

    /// SHA-256 of the statement, hex.
    public var hash: String { SHA256Hasher.hash(statement).hex }
    var audit: AuditHead { AuditHead(sequence: auditSequence, link: auditLink, tag: auditTag) }

    /// Reads a signed statement; nil when it is no checkpoint.
    public init?(_ statement: SignedStatement) {
        guard statement.type == .checkpoint, let generation = statement.body["generation"]?.integerValue, generation > 0,
            let previous = statement.body["previous"]?.stringValue, let reason = statement.body["reason"]?.stringValue,
            let audit = statement.body["audit"], let sequence = audit["sequence"]?.integerValue, sequence >= 0,
            let link = audit["link"]?.stringValue.flatMap({ Hex.decode($0) }), link.count == 32,
            let tag = audit["tag"]?.stringValue.flatMap({ Hex.decode($0) }), tag.count == 32
        else { return nil }
        self.generation = UInt64(generation)
        self.previous = previous
        self.reason = reason
        created = Timestamp(milliseconds: statement.createdMilliseconds)
        auditSequence = UInt64(sequence)
        auditLink = link
        auditTag = tag
        openUploads = UInt64(clamping: statement.body["counts"]?["openUploads"]?.integerValue ?? .max)
        self.statement = statement.encode()
    }

    static func body(
        generation: UInt64, previous: String, reason: CheckpointReason, audit: AuditHead, totals: CatalogTotals
    ) -> [String: JSONValue] {
        [
            "generation": .integer(Int64(clamping: generation)), "previous": .string(previous), "reason": .string(reason.rawValue),
            "audit": [
                "sequence": .integer(Int64(clamping: audit.sequence)), "link": .string(Hex.encode(audit.link)),
                "tag": .string(Hex.encode(audit.tag)),
            ],
            "counts": [
                "vaults": .integer(Int64(clamping: totals.vaults)), "archives": .integer(Int64(clamping: totals.archives)),
                "bytes": .integer(Int64(clamping: totals.bytes)), "openUploads": .integer(Int64(clamping: totals.openUploads)),
            ],
        ]
    }
}

/// Which checkpoint the catalog or the blobs hold.
struct CheckpointMark: Hashable {
    var generation: UInt64
    var hash: String
    static let none = CheckpointMark(generation: 0, hash: String(repeating: "0", count: 64))

    var text: String { "\(generation) \(hash)" }

    init(generation: UInt64, hash: String) {
        self.generation = generation
        self.hash = hash
    }

    init?(_ text: String?) {
        guard let words = text?.split(separator: " "), words.count == 2, let generation = UInt64(words[0]) else { return nil }
        self.init(generation: generation, hash: String(words[1]))
    }

    init(_ checkpoint: Checkpoint) { self.init(generation: checkpoint.generation, hash: checkpoint.hash) }

    /// Docs/Formats/Checkpoint-v1.md §3.
    static func judge(catalog: CheckpointMark, pending: CheckpointMark?, blobs: CheckpointMark) -> HistoryState {
        if blobs == catalog { return .consistent }
        if blobs.generation == catalog.generation + 1, blobs == pending { return .consistent }
        if blobs.generation > catalog.generation {
            return .catalogRolledBack(catalog: catalog.generation, blobs: blobs.generation)
        }
        if blobs.generation < catalog.generation {
            return .blobsRolledBack(catalog: catalog.generation, blobs: blobs.generation)
        }
        return .differentHistories(generation: blobs.generation)
    }
}

/// What this process knows about checkpoints.
final class CheckpointKeeper: Sendable {
    struct State {
        var history = HistoryState.consistent
        /// The audit head of the last checkpoint; nil before the first of this process.
        var audited: UInt64?
    }
    let state = Mutex(State())

    var history: HistoryState { state.withLock { $0.history } }
}
