// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// Something in the blob store that is not as it should be, or that nobody asked for.
public struct RebuildFinding: Sendable, Hashable {
    public enum Class: String, Sendable, Hashable, CaseIterable {
        /// A record or manifest that does not verify where it lies.
        case damaged
        /// A part of an archive or of an open upload that is missing, has another size or does not verify.
        case part
        /// Made by a newer Coldvault: upgrade and rebuild again.
        case newer
        /// A vault or archive that could not be brought back because nothing that verifies describes it.
        case lost
        /// A vault whose location is another one's.
        case nameTaken
        /// Well-formed blobs that no verified record names: left by a crash, or to be looked at.
        case unnamed
        /// A file that is no blob of the cold store.
        case foreign

        /// Whether something that was acknowledged may be missing or old; the others are remarks.
        public var isDamage: Bool {
            switch self {
            case .damaged, .part, .newer, .lost, .nameTaken: true
            case .unnamed, .foreign: false
            }
        }
    }

    public let kind: Class
    /// The blob, file, vault or archive.
    public let subject: String
    /// What was found, without content.
    public let reason: String
    /// An older record of the same thing counts instead: the state may be older than what was acknowledged.
    public let isStale: Bool

    public init(_ kind: Class, _ subject: String, _ reason: String, isStale: Bool = false) {
        self.kind = kind
        self.subject = subject
        self.reason = reason
        self.isStale = isStale
    }
}

/// What a rebuild read and brought back.
public struct RebuildReport: Sendable {
    /// As many findings are kept here; all of them go to the caller as they are made.
    public static let maxFindings = 1000
    /// What no rebuild brings back (Docs/Formats/Rebuild-v1.md §6).
    public static let notRebuilt = [
        "retrieval and inventory jobs", "staged outputs", "messages that were not delivered", "caches",
        "audit entries that were not exported yet",
    ]

    /// Blobs seen, and their bytes.
    public internal(set) var blobs: UInt64 = 0
    public internal(set) var blobBytes: UInt64 = 0
    public internal(set) var accounts: UInt64 = 0
    public internal(set) var users: UInt64 = 0
    public internal(set) var accessKeys: UInt64 = 0
    public internal(set) var topics: UInt64 = 0
    public internal(set) var vaults: UInt64 = 0
    public internal(set) var lockedVaults: UInt64 = 0
    /// Vaults that are deleted; rows remain only of those whose archives wait for their grace.
    public internal(set) var deletedVaults: UInt64 = 0
    /// Stored archives and their bytes.
    public internal(set) var archives: UInt64 = 0
    public internal(set) var archiveBytes: UInt64 = 0
    /// Of ``archives``: those marked damaged.
    public internal(set) var damagedArchives: UInt64 = 0
    /// Deleted archives that wait for their grace.
    public internal(set) var deletedArchives: UInt64 = 0
    /// Archives of which only the deletion record is left.
    public internal(set) var purgedArchives: UInt64 = 0
    public internal(set) var openUploads: UInt64 = 0
    public internal(set) var uploadParts: UInt64 = 0
    public internal(set) var uploadPartBytes: UInt64 = 0
    public internal(set) var closedUploads: UInt64 = 0
    /// Blobs named for deletion.
    public internal(set) var doomedBlobs: UInt64 = 0
    /// Bytes of parts that were read and hashed.
    public internal(set) var verifiedBytes: UInt64 = 0
    /// How often each class was found, and the first ``maxFindings``.
    public internal(set) var findingCounts: [RebuildFinding.Class: UInt64] = [:]
    public internal(set) var findings: [RebuildFinding] = []
    /// Findings after which an older record counts.
    public internal(set) var staleFindings: UInt64 = 0
    /// The newest time in anything that verified.
    public internal(set) var newestTime: Timestamp?
    public internal(set) var elapsed: Duration = .zero

    public init() {}

    /// Whether nothing that was acknowledged is known to be missing or old.
    public var isClean: Bool { !findingCounts.contains { $0.key.isDamage && $0.value > 0 } }

    mutating func add(_ found: [RebuildFinding]) {
        for finding in found {
            findingCounts[finding.kind, default: 0] += 1
            if finding.isStale { staleFindings += 1 }
        }
        findings.append(contentsOf: found.prefix(Swift.max(0, Self.maxFindings - findings.count)))
    }

    mutating func saw(_ time: Timestamp?) {
        guard let time else { return }
        newestTime = newestTime.map { Swift.max($0, time) } ?? time
    }
}

/// How far a rebuild is.
public struct RebuildProgress: Sendable, Hashable {
    /// Of all, 0 to 1: the place in the order of names, of which archives' are random and so evenly spread.
    public let share: Double
    public let blobs: UInt64
    public let archives: UInt64
}

/// What the caller of a rebuild chooses.
public struct RebuildOptions: Sendable {
    /// Also compare the SHA-256 of every part's blob with its manifest: reads everything.
    public var verifyData = false
    /// How long what a newer record replaced is kept.
    public var grace: Duration = EngineConfiguration().deletionGrace
    /// A completed upload is remembered for so long.
    public var closedUploadMemory: Duration = EngineConfiguration().closedUploadMemory
    public init() {}
}
