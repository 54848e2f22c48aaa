// SPDX-License-Identifier: Apache-2.0

public import Storage

/// The key files on both copies: a key is in use only when it is on the first, and on the mirror whenever that is there.
///
/// What a mirror that was away has missed is made good by the scrub, which can open the files and tell which of two is right.
public struct MirroredKeyFiles: KeyFileStore {
    let primary: any KeyFileStore
    let mirror: any KeyFileStore
    let store: MirroredBlobStore

    /// - Parameter store: tells whether the mirror is there.
    public init(primary: any KeyFileStore, mirror: any KeyFileStore, store: MirroredBlobStore) {
        self.primary = primary
        self.mirror = mirror
        self.store = store
    }

    /// The names that either has.
    public func list() async throws(StorageError) -> [String] {
        let names = try await primary.list()
        guard store.link.isThere, let others = try? await mirror.list() else { return names }
        return Array(Set(names).union(others)).sorted()
    }

    public func read(_ name: String) async throws(StorageError) -> [UInt8] {
        do throws(StorageError) {
            return try await primary.read(name)
        } catch {
            guard store.link.isThere, error.code == .notFound || error.code == .integrity,
                let bytes = try? await mirror.read(name)
            else { throw error }
            return bytes
        }
    }

    public func replace(_ name: String, with bytes: [UInt8]) async throws(StorageError) {
        try store.link.admitWrite()
        try await primary.replace(name, with: bytes)
        guard store.link.isThere else { return }
        do throws(StorageError) {
            try await mirror.replace(name, with: bytes)
        } catch {
            store.link.note(error)
            if store.link.policy == .refuse { throw error }
        }
    }

    /// The mirror first: a key that the mirror alone still has was lost by the first copy, never destroyed.
    public func remove(_ name: String) async throws(StorageError) {
        guard store.link.isThere else {
            throw StorageError(.transient, "the mirror is not there, so \(name) cannot be destroyed on it; bring it back, then try again")
        }
        try await mirror.remove(name)
        try await primary.remove(name)
    }

    public func copyAll(to path: String) async throws(StorageError) -> Int { try await primary.copyAll(to: path) }
}
