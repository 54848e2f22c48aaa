// SPDX-License-Identifier: Apache-2.0

import Cryptography
import FileBlobStore
import MirroredBlobStore
import PosixDisk
import Storage
import VaultEngine
import VaultModel

/// Where the second copy is, and what happens without it.
struct MirrorSettings: Sendable {
    let directory: String
    let policy: MirrorFailurePolicy
    /// For copies of blobs that are older than the mirror; nil: no limit.
    let bytesPerSecond: UInt64?
}

/// The blobs and key files of a data directory, on one disk or on two.
struct BlobStores: Sendable {
    let cold: any BlobStore
    /// The same, allowed to use the reserve.
    let reserve: any BlobStore
    let keyFiles: any KeyFileStore
    /// Each copy by itself.
    let keyCopies: [any KeyFileStore]
    /// Nil with one copy only.
    let synchronizer: MirrorSynchronizer?

    /// What a crash left half-written goes; the directory is locked, so nobody writes.
    static func open(
        _ directory: DataDirectory, reserveBytes: UInt64, mirror: MirrorSettings?, clock: any TimeSource,
        random: any RandomByteSource
    ) async throws -> BlobStores {
        let cold = directory.coldStore(reserveBytes: reserveBytes)
        try await cold.removeAbandonedWrites()
        let keys = directory.keyFiles()
        guard let mirror else {
            return BlobStores(
                cold: cold, reserve: directory.coldStore(reserveBytes: 0), keyFiles: keys, keyCopies: [keys], synchronizer: nil)
        }
        guard mirror.directory != directory.path else {
            throw OperatorError("The mirror is the data directory itself. Give a directory on another disk.")
        }
        let pair = MirrorPair(disk: directory.disk, dataDirectory: directory.path, mirrorDirectory: mirror.directory)
        let second = DataDirectory(path: mirror.directory, disk: directory.disk)
        let store = MirroredBlobStore(
            primary: cold, mirror: second.coldStore(reserveBytes: reserveBytes),
            ledger: FileBlobStore(disk: directory.disk, root: pair.ledgerPath, reserveBytes: 0), policy: mirror.policy)
        let synchronizer = MirrorSynchronizer(
            pair: pair, store: store, clock: clock, random: random, bytesPerSecond: mirror.bytesPerSecond)
        try await synchronizer.prepare()
        if store.copies.count > 1 { try await second.coldStore(reserveBytes: 0).removeAbandonedWrites() }
        return BlobStores(
            cold: store,
            reserve: store.sibling(primary: directory.coldStore(reserveBytes: 0), mirror: second.coldStore(reserveBytes: 0)),
            keyFiles: MirroredKeyFiles(primary: keys, mirror: second.keyFiles(), store: store),
            keyCopies: [keys, second.keyFiles()], synchronizer: synchronizer)
    }
}
