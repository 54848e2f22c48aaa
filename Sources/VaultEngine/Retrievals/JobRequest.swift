// SPDX-License-Identifier: Apache-2.0

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
