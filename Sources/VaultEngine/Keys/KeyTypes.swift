// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// A version of the master key as `key list` shows it.
public struct MasterKeyDescription: Sendable, Hashable {
    public let version: UInt32
    public let created: Timestamp
    public let isCurrent: Bool
    /// Vault key versions and account records sealed under it.
    public let references: UInt64
    /// The root slots that can open it: kind and reference.
    public let slots: [String]
}

/// A version of one vault's key.
public struct VaultKeyDescription: Sendable, Hashable {
    public let vault: VaultUID
    public let location: VaultLocation
    public let version: UInt32
    public let created: Timestamp
    public let isCurrent: Bool
    public let masterVersion: UInt32
    /// Archives and open uploads sealed under it.
    public let references: UInt64
}

public struct KeyListing: Sendable {
    public let master: [MasterKeyDescription]
    public let vaults: [VaultKeyDescription]
}

/// What a rotation did.
public struct RotationReport: Sendable, Hashable {
    public let newVersion: UInt32
    public let rewrappedVaultKeys: UInt64
    public let resealedAccounts: UInt64
}
