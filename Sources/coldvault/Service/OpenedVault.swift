// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import FileBlobStore
import FileKeyCustody
import Logging
import MessageDelivery
import MirroredBlobStore
import NIOCore
import PosixDisk
import SQLiteCatalog
import Storage
import VaultEngine
import VaultModel

/// Adapters and engine put together over one data directory, locked for this process: the composition root.
struct OpenedVault: Sendable {
    let engine: VaultEngine
    let catalog: SQLiteCatalog
    /// Keeps the mirror up to date; nil without one.
    let synchronizer: MirrorSynchronizer?
    /// Deletion records and catalog pages need little; more would only be missing elsewhere.
    private static let maxReserveFileBytes: UInt64 = 16 << 20

    private let compute: BlockingPool
    private let delivery: TopicDelivery
    private let lock: DirectoryLock

    /// Opens everything or throws with nothing changed. `logger` gets what an operator would want to know tomorrow.
    static func open(
        _ directory: DataDirectory, rootKeyFile: String, configuration: EngineConfiguration, reserveBytes: UInt64, lock: DirectoryLock,
        pool: BlockingPool, mirror: MirrorSettings? = nil, logger: Logger
    ) async throws -> OpenedVault {
        let random = SystemRandomBytes()
        let clock = SystemTimeSource()
        let loaded = try await directory.rootKeyFile(rootKeyFile).load()
        if let warning = loaded.warning { logger.warning("\(warning)") }
        let stores = try await BlobStores.open(
            directory, reserveBytes: reserveBytes, mirror: mirror, clock: clock, random: random)
        let keyring = try await Keyring.open(
            files: stores.keyFiles, root: FileKeyCustody(rootKey: loaded.key, random: random), random: random, creatingMissing: clock.now(),
            recoveryCustody: { RecoveryKeyCustody(recoveryKey: $0, random: random) })
        let spaceReserve = PreallocatedReserve(
            path: directory.reservePath, bytes: min(reserveBytes, Self.maxReserveFileBytes), margin: reserveBytes, pool: pool)
        try await refuseWithoutCatalog(directory)
        let catalog = try await openCatalog(directory.catalogPath, spaceReserve)
        logger.notice("catalog opened", metadata: ["sqlite": "\(catalog.sqliteVersion)", "path": "\(directory.catalogPath)"])
        let warm = directory.warmStore(reserveBytes: reserveBytes)
        // The lock is ours, so nobody writes: what a crash left half-written goes.
        try await warm.removeAbandonedWrites()
        let compute = BlockingPool(name: "compute", threads: System.coreCount)
        let delivery = TopicDelivery(disk: directory.disk, pool: pool, clock: clock)
        let engine = VaultEngine(
            configuration: configuration, catalog: catalog, cold: stores.cold, reserve: stores.reserve, warm: warm,
            spaceReserve: spaceReserve,
            keyring: keyring, compute: compute, clock: clock, random: random, transport: delivery, keyCopies: stores.keyCopies,
            backupPlace: BackupPlace(disk: directory.disk, directory: directory.path), logger: logger)
        return OpenedVault(
            engine: engine, catalog: catalog, synchronizer: stores.synchronizer, compute: compute, delivery: delivery, lock: lock)
    }

    /// A catalog that is lost must not be replaced by an empty one, which would say that nothing was ever stored.
    private static func refuseWithoutCatalog(_ directory: DataDirectory) async throws {
        guard try await directory.isInitialised(), try await directory.disk.size(of: directory.catalogPath) == nil else { return }
        throw OperatorError(
            "\(directory.catalogPath) is missing. Nothing that was stored is lost with it: make it again with "
                + "`coldvault catalog rebuild --data-dir \(directory.path) --root-key-file FILE`, or restore a backup of it.")
    }

    /// Opening writes too; on a disk that others have filled the reserve makes room for it.
    private static func openCatalog(_ path: String, _ reserve: PreallocatedReserve) async throws(StorageError) -> SQLiteCatalog {
        do throws(StorageError) {
            return try await SQLiteCatalog.open(path: path)
        } catch {
            guard error.code == .noSpace, await reserve.release() else { throw error }
            return try await SQLiteCatalog.open(path: path)
        }
    }

    func close() async {
        await delivery.shutdown()
        await catalog.close()
        await compute.shutdown()
        lock.release()
    }
}
