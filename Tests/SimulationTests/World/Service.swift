// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import FileBlobStore
import FileKeyCustody
import Logging
import Messaging
import SQLiteCatalog
import Storage
import StorageLaws
import VaultModel

@testable import VaultEngine

/// One process of the service: what the composition root puts together, on the simulated machine.
struct Service: Sendable {
    let engine: VaultEngine
    let catalog: SQLiteCatalog

    /// - Parameter catalog: of a process that runs already, for a second one beside it.
    static func open(_ world: World, sharing catalog: SQLiteCatalog? = nil) async throws -> Service {
        let (simulator, weather) = (world.simulator, world.weather)
        let keyring = try await openKeyring(world)
        let own = try catalog ?? SimulatedCatalog.open(
            path: "\(world.directory)/catalog.sqlite", on: simulator, pool: pool(world), fate: world.commitFate ?? { weather.fate() })
        do {
            if catalog == nil {
                for name in ["blobs", "staging"] { try await store(world, name, reserveBytes: 1 << 20).removeAbandonedWrites() }
            }
            let engine = engine(world, own, keyring)
            try await engine.prepare()
            return Service(engine: engine, catalog: own)
        } catch {
            if catalog == nil { await own.close() }
            throw error
        }
    }

    static func pool(_ world: World) -> BlockingPool {
        let simulator = world.simulator
        return BlockingPool(name: "simulated", submit: { simulator.submit($0) })
    }

    static func store(_ world: World, _ name: String, reserveBytes: UInt64) -> FileBlobStore {
        FileBlobStore(disk: world.otherDisk ?? world.disk, root: "\(world.dataPath)/\(name)", reserveBytes: reserveBytes)
    }

    static func openKeyring(_ world: World) async throws -> Keyring {
        let random = world.random
        return try await Keyring.open(
            files: KeyDirectory(disk: world.otherDisk ?? world.disk, path: "\(world.dataPath)/keys"),
            root: FileKeyCustody(rootKey: world.root, random: random), random: random,
            recoveryCustody: { RecoveryKeyCustody(recoveryKey: $0, random: random) })
    }

    static func engine(_ world: World, _ catalog: SQLiteCatalog, _ keyring: Keyring) -> VaultEngine {
        let disk: any Disk = world.otherDisk ?? world.disk
        return VaultEngine(
            configuration: world.configuration, catalog: catalog, cold: store(world, "blobs", reserveBytes: 1 << 20),
            reserve: store(world, "blobs", reserveBytes: 0), warm: store(world, "staging", reserveBytes: 1 << 20), keyring: keyring,
            compute: pool(world), clock: world.clock, random: world.random, transport: world.transport,
            backupPlace: world.backupPath.map { _ in BackupPlace(disk: disk, directory: world.dataPath) },
            logger: Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() })
    }

    /// What `coldvault init` does.
    static func initialise(_ world: World) async throws {
        let random = world.random
        let recovery = SecretKey(random: random)
        let (disk, data) = (world.otherDisk ?? world.disk, world.dataPath)
        try await disk.createDirectory("\(data)/keys")
        try await Keyring.create(
            files: KeyDirectory(disk: disk, path: "\(data)/keys"),
            root: FileKeyCustody(rootKey: world.root, random: random),
            recovery: RecoveryKeyCustody(recoveryKey: recovery, random: random), recoveryKey: recovery,
            now: world.clock.now(), random: random)
        let service = try await open(world)
        _ = try await service.engine.createAccount(World.account)
        for name in World.vaults { try await service.engine.createVault(World.location(name)) }
        _ = try await service.engine.createTopic(SimulatedTransport.topic, target: .directory(path: "/messages"))
        try await service.engine.setVaultNotifications(
            World.location("main"),
            VaultNotifications(
                topic: SimulatedTransport.topic, events: [.archiveRetrievalCompleted, .inventoryRetrievalCompleted]))
        await service.catalog.close()
    }
}
