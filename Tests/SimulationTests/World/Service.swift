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
        let (simulator, weather, random) = (world.simulator, world.weather, world.random)
        let (disk, data) = (world.otherDisk ?? world.disk, world.dataPath)
        let pool = BlockingPool(name: "simulated", submit: { simulator.submit($0) })
        let keyring = try await Keyring.open(
            files: KeyDirectory(disk: disk, path: "\(data)/keys"),
            root: FileKeyCustody(rootKey: world.root, random: random), random: random,
            recoveryCustody: { RecoveryKeyCustody(recoveryKey: $0, random: random) })
        let own = try catalog ?? SimulatedCatalog.open(
            path: "\(world.directory)/catalog.sqlite", on: simulator, pool: pool, fate: { weather.fate() })
        do {
            let cold = FileBlobStore(disk: disk, root: "\(data)/blobs", reserveBytes: 1 << 20)
            let warm = FileBlobStore(disk: disk, root: "\(data)/staging", reserveBytes: 1 << 20)
            if catalog == nil { for store in [cold, warm] { try await store.removeAbandonedWrites() } }
            let engine = VaultEngine(
                configuration: world.configuration, catalog: own, cold: cold,
                reserve: FileBlobStore(disk: disk, root: "\(data)/blobs", reserveBytes: 0), warm: warm, keyring: keyring,
                compute: pool, clock: world.clock, random: random, transport: world.transport,
                logger: Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() })
            try await engine.prepare()
            return Service(engine: engine, catalog: own)
        } catch {
            if catalog == nil { await own.close() }
            throw error
        }
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
