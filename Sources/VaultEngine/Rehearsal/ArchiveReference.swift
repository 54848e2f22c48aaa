// SPDX-License-Identifier: Apache-2.0

public import Cryptography
public import VaultModel

/// An archive as the names of its blobs tell it.
public struct ArchiveReference: Sendable, Hashable {
    public let account: AccountID
    public let vault: VaultUID
    public let archive: ArchiveUID
    /// Of its newest manifest.
    public let generation: UInt64

    public init(account: AccountID, vault: VaultUID, archive: ArchiveUID, generation: UInt64) {
        self.account = account
        self.vault = vault
        self.archive = archive
        self.generation = generation
    }
}

/// What the manifest among the blobs says of an archive, whatever the catalog says.
public struct ManifestFacts: Sendable, Hashable {
    public let archiveID: String
    public let created: Timestamp
    public let bytes: UInt64
    public let treeHash: SHA256Digest
}
