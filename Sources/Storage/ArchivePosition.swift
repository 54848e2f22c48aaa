// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// A place in a vault's archives in order of creation.
public struct ArchivePosition: Hashable, Sendable {
    public let created: Timestamp
    public let uid: ArchiveUID
    public init(created: Timestamp, uid: ArchiveUID) {
        self.created = created
        self.uid = uid
    }
}
