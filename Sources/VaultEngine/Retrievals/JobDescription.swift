// SPDX-License-Identifier: Apache-2.0

public import Cryptography
public import VaultModel

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
