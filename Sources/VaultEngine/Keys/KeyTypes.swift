// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// Where a version of a key is in its life.
public enum KeyState: String, Sendable {
    /// New things are sealed under it.
    case current
    /// Kept for what is sealed under it.
    case retired
    /// Nothing is, and its destruction has been asked for.
    case destroying
    case destroyed
}

/// A version of the master key as `key list` shows it.
public struct MasterKeyDescription: Sendable, Hashable {
    public let version: UInt32
    public let created: Timestamp
    public let isCurrent: Bool
    /// Exactly how many things are sealed under it: vault key versions, accounts, their settings, users, topics, access keys, messages
    /// that have not gone out.
    public let references: UInt64
    /// The root slots that can open it: kind and reference; none once it is destroyed.
    public let slots: [String]
    public var state = KeyState.current
}

/// A version of one vault's key.
public struct VaultKeyDescription: Sendable, Hashable {
    public let vault: VaultUID
    public let location: VaultLocation
    public let version: UInt32
    public let created: Timestamp
    public let isCurrent: Bool
    public let masterVersion: UInt32
    /// Exactly how many things are sealed under it: archives in any state, open uploads and their parts, jobs, staged outputs.
    public let references: UInt64
    public var state = KeyState.current
}

/// A version of the signing or the audit key.
public struct ServiceKeyDescription: Sendable, Hashable {
    public let version: UInt32
    public let created: Timestamp
    public let isCurrent: Bool
    /// Of a signing key: what verifies its statements, hex.
    public let publicKey: String?
}

public struct KeyListing: Sendable {
    public let master: [MasterKeyDescription]
    public let vaults: [VaultKeyDescription]
    public var signing: [ServiceKeyDescription] = []
    public var audit: [ServiceKeyDescription] = []
}

/// What a rotation did.
public struct RotationReport: Sendable, Hashable {
    public let newVersion: UInt32
    public let rewrappedVaultKeys: UInt64
    public let resealedAccounts: UInt64
}
