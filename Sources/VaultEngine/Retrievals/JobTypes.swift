// SPDX-License-Identifier: Apache-2.0

public import Cryptography
public import NIOCore
public import VaultModel

/// What a client asks a job to do; syntax already checked at the edge.
public struct JobRequest: Sendable, Hashable {
    public enum Action: Sendable, Hashable {
        /// `range` nil: the whole archive.
        case archive(archiveID: String, range: ByteRange?)
        case inventory(InventoryParameters)
    }
    public let action: Action
    /// Nil when the client named none (Standard for archives, null for inventories).
    public let tier: RetrievalTier?
    public let description: String?
    public let snsTopic: String?

    public init(action: Action, tier: RetrievalTier?, description: String?, snsTopic: String?) {
        self.action = action
        self.tier = tier
        self.description = description
        self.snsTopic = snsTopic
    }
}

/// Which archives an inventory lists and how.
public struct InventoryParameters: Sendable, Hashable {
    public enum Format: String, Sendable { case json = "JSON", csv = "CSV" }
    public var format: Format
    /// On creation time: inclusive, exclusive. The texts are echoed as given.
    public var startDate: Timestamp?
    public var startDateText: String?
    public var endDate: Timestamp?
    public var endDateText: String?
    public var limit: UInt64?
    /// As given by the client; in a finished job's description: where the next page starts.
    public var marker: String?

    public init(
        format: Format = .json, startDate: Timestamp? = nil, startDateText: String? = nil, endDate: Timestamp? = nil,
        endDateText: String? = nil, limit: UInt64? = nil, marker: String? = nil
    ) {
        self.format = format
        self.startDate = startDate
        self.startDateText = startDateText
        self.endDate = endDate
        self.endDateText = endDateText
        self.limit = limit
        self.marker = marker
    }
}

/// A job as DescribeJob shows it.
public struct JobDescription: Sendable, Hashable {
    public enum Status: String, Sendable, CaseIterable { case inProgress = "InProgress", succeeded = "Succeeded", failed = "Failed" }

    public let jobID: String
    public let location: VaultLocation
    public let status: Status
    /// Nil while in progress.
    public let statusMessage: String?
    public let created: Timestamp
    public let completed: Timestamp?
    public let description: String?
    public let snsTopic: String?
    public let tier: RetrievalTier?
    /// Archive jobs only.
    public let archive: ArchiveJobFacts?
    /// Inventory jobs only; `marker` is the next page's start once finished, else nil.
    public let inventory: InventoryParameters?
    /// Inventory jobs, once finished.
    public let inventoryBytes: UInt64?
}

public struct ArchiveJobFacts: Sendable, Hashable {
    public let archiveID: String
    public let archiveBytes: UInt64
    public let archiveTreeHash: SHA256Digest
    public let range: ByteRange
    /// Of `range`; nil when the range is not tree-hash aligned (or, for a part of an archive, not finished).
    public let rangeTreeHash: SHA256Digest?
}

public struct JobPage: Sendable {
    public let jobs: [JobDescription]
    public let next: String?
}

/// Which bytes of an output a client wants: the forms of RFC 7233's single byte range.
public enum OutputRange: Sendable, Hashable {
    case whole
    case from(UInt64)
    /// Inclusive; an end past the output is clamped.
    case closed(UInt64, UInt64)
    /// The last n bytes.
    case suffix(UInt64)
}

/// An output about to be sent. The first bytes are verified already; every later byte is verified before it is handed out.
public final class JobOutput: Sendable {
    public let contentType: String
    /// Of the whole output.
    public let totalBytes: UInt64
    /// What will be sent; nil only for an empty output.
    public let range: ByteRange?
    /// Whether the client asked for a range (206).
    public let isPartial: Bool
    /// Exactly when both ranges are tree-hash aligned.
    public let treeHash: SHA256Digest?
    /// Archive jobs with a description.
    public let archiveDescription: String?
    private let source: @Sendable (@Sendable (ByteBuffer) async throws -> Void) async throws -> Void

    init(
        contentType: String, totalBytes: UInt64, range: ByteRange?, isPartial: Bool, treeHash: SHA256Digest?,
        archiveDescription: String?, source: @escaping @Sendable (@Sendable (ByteBuffer) async throws -> Void) async throws -> Void
    ) {
        self.contentType = contentType
        self.totalBytes = totalBytes
        self.range = range
        self.isPartial = isPartial
        self.treeHash = treeHash
        self.archiveDescription = archiveDescription
        self.source = source
    }

    /// How many bytes ``stream(to:)`` will hand out.
    public var byteCount: UInt64 { range?.count ?? 0 }

    /// Hands out the bytes in order, in buffers of at most 1 MiB, awaiting `write` for each (backpressure). Call at most once. Throws
    /// `VaultError` with `.integrity` when stored bytes do not verify: the connection must then be cut, since the head is already sent.
    public func stream(to write: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws {
        try await source(write)
    }
}
