// SPDX-License-Identifier: Apache-2.0

/// How one of a store's copies is doing.
public struct BlobCopyState: Hashable, Sendable {
    /// `primary`, `mirror`.
    public let name: String
    /// False while nothing can be read from it or written to it.
    public let isUsable: Bool
    /// Whether everything that was acknowledged is on it.
    public let isComplete: Bool
    /// Writes and deletions that it has missed and will be given.
    public let owed: UInt64
    /// For people: what is wrong and what to do, or what it is busy with.
    public let detail: String

    public init(name: String, isUsable: Bool, isComplete: Bool, owed: UInt64, detail: String) {
        self.name = name
        self.isUsable = isUsable
        self.isComplete = isComplete
        self.owed = owed
        self.detail = detail
    }
}

/// A store that keeps one copy of each blob and cannot take anything out of the way: what most stores are.
extension BlobStore {
    public var copies: [any BlobStore] { [self] }
    public var copyStates: [BlobCopyState] { [] }

    public func setAside(_ id: BlobID) async throws(StorageError) -> Bool {
        throw StorageError(.unusable, "this store cannot take \(id) out of the way; nothing was changed")
    }

    public func repair(_ id: BlobID, copy: Int, from source: Int) async throws(StorageError) {
        throw StorageError(.unusable, "this store has no second copy to repair \(id) from")
    }
}
