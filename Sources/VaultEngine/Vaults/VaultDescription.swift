// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// A vault as DescribeVault shows it: live counts.
public struct VaultDescription: Sendable, Hashable {
    public let location: VaultLocation
    public let created: Timestamp
    /// When the content last changed; nil while nothing was ever stored.
    public let lastInventory: Timestamp?
    public let archiveCount: UInt64
    /// True archive bytes.
    public let totalBytes: UInt64
}

public struct VaultPage: Sendable {
    public let vaults: [VaultDescription]
    /// The first name of the next page.
    public let next: VaultName?
}
