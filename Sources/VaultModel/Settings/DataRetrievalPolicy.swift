// SPDX-License-Identifier: Apache-2.0

/// How much an account lets itself retrieve from the vaults of a region; applies to Standard archive retrievals.
public enum DataRetrievalPolicy: Hashable, Sendable {
    /// No limit: the state before a policy was set.
    case none
    /// Bytes per hour, 1 to 2^63 − 1, that running retrievals together may reach.
    case bytesPerHour(UInt64)
    /// The daily share of the free monthly allowance.
    case freeTier

    /// The strategy's name on the wire.
    public var strategy: String {
        switch self {
        case .none: "None"
        case .bytesPerHour: "BytesPerHour"
        case .freeTier: "FreeTier"
        }
    }
}

/// A unit of provisioned capacity: while it lasts, Expedited retrievals never wait behind others.
public struct CapacityUnit: Hashable, Sendable {
    /// At most two units at a time, per account and region.
    public static let limit = 2
    /// Expedited retrievals a unit guarantees in ``window``.
    public static let retrievalsPerWindow = 3
    public static let window: Duration = .seconds(5 * 60)

    public let id: String
    public let start: Timestamp
    /// One calendar month later to the second; the month's last day where the start day does not exist in it.
    public let expiration: Timestamp

    public init(id: String, start: Timestamp, expiration: Timestamp) {
        self.id = id
        self.start = start
        self.expiration = expiration
    }

    public func isActive(at now: Timestamp) -> Bool { start <= now && now < expiration }
}

/// What an account has set for all its vaults: part of the account's state record, sealed in the catalog.
public struct AccountSettings: Hashable, Sendable {
    public var retrievalPolicies: [Region: DataRetrievalPolicy]
    /// Expired units are dropped whenever the account changes.
    public var capacity: [Region: [CapacityUnit]]

    public init(retrievalPolicies: [Region: DataRetrievalPolicy] = [:], capacity: [Region: [CapacityUnit]] = [:]) {
        self.retrievalPolicies = retrievalPolicies
        self.capacity = capacity
    }

    public static let none = AccountSettings()
}
