// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import Foundation
import NIOCore
import PosixDisk
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// One fixed scene on real files, in which the k-th call of the disk fails, for every k and every failure; then a restart.
///
/// Whatever was acknowledged is there afterwards, and nothing hangs: the simulator would say so. `COLDVAULT_DISK_ERRORS=all` tries every k.
@Suite(.serialized) struct DiskErrorTests {
    /// What the scene was told. On the simulator's thread alone.
    private final class Ledger: @unchecked Sendable {
        var stored: [String: [UInt8]] = [:]
        var deleted: Set<String> = []
        var doubtful: Set<String> = []
        var isInitialised = false
        var faults: [String] = []
        var refusals = 0
    }

    private static let small = Recipe(numbers: [1], count: 5000)
    private static let large = Recipe(numbers: [2], count: 1 << 20 + 70_000)
    private static let multipart = Recipe(numbers: [3, 4], count: 1 << 20 + 3000)

    @Test(arguments: FailingDisk.Failure.allCases)
    func afterAnyFailedCallEverythingAcknowledgedIsThere(failure: FailingDisk.Failure) async throws {
        let calls = try await run(failing: .max, with: failure).calls
        let all = ProcessInfo.processInfo.environment["COLDVAULT_DISK_ERRORS"] == "all"
        var (covered, refusals) = (0, 0)
        for place in stride(from: 0, to: calls, by: all ? 1 : 41) {
            let outcome = try await run(failing: place, with: failure)
            covered += outcome.hasFailed ? 1 : 0
            refusals += outcome.refusals
            #expect(outcome.faults.isEmpty, "\(failure.rawValue) at call \(place) of \(calls): \(outcome.faults)")
        }
        print("\(failure.rawValue): \(covered) of \(calls) calls failed in turn, \(refusals) requests were refused")
        #expect(covered > 0 && refusals > 0)
    }

    private struct Outcome: Sendable {
        var calls = 0
        var hasFailed = false
        var refusals = 0
        var faults: [String] = []
    }

    private func run(failing place: Int, with failure: FailingDisk.Failure) async throws -> Outcome {
        try await withTemporaryDirectory(in: simulationDirectory) { directory in
            await onOwnThread {
                let ledger = Ledger()
                // The world gives time, randomness and schedule; its own disk is not used.
                let world = World(seed: 7, directory: directory)
                world.dataPath = "\(directory)/data"
                let pool = BlockingPool(name: "disk", submit: { world.simulator.submit($0) })
                let disk = FailingDisk(PosixDisk(pool: pool), failing: place, with: failure)
                world.otherDisk = disk
                world.phase("scene") { await Self.scene(world, ledger) }
                world.otherDisk = PosixDisk(pool: pool)
                world.phase("after the restart") { try await Self.audit(world, ledger) }
                var faults = ledger.faults + world.violations
                if disk.syncedAgain > 0 { faults.append("a file whose sync had failed was synced again") }
                return Outcome(calls: disk.calls, hasFailed: disk.hasFailed, refusals: ledger.refusals, faults: faults)
            }
        }
    }

    // MARK: the scene

    private static func attempt<R>(_ ledger: Ledger, _ body: () async throws -> R) async -> R? {
        do {
            return try await body()
        } catch {
            ledger.refusals += 1
            return nil
        }
    }

    private static func scene(_ world: World, _ ledger: Ledger) async {
        guard await attempt(ledger, { try await Service.initialise(world) }) != nil else { return }
        ledger.isInitialised = true
        guard let service = await attempt(ledger, { try await Service.open(world) }) else { return }
        let engine = service.engine
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await engine.run() }
            await requests(world, engine, ledger)
            group.cancelAll()
        }
        await service.catalog.close()
    }

    private static func requests(_ world: World, _ engine: VaultEngine, _ ledger: Ledger) async {
        let location = World.location("main")
        for content in [small, large] {
            let bytes = content.bytes
            let stored = await attempt(ledger) {
                try await engine.uploadArchive(
                    UploadArchiveRequest(
                        location: location, contentLength: UInt64(bytes.count), treeHash: bytes.treeHash,
                        linearHash: bytes.linearHash, description: "x"), body: Pieces(bytes: bytes, pieceBytes: 300_000))
            }
            if let stored { ledger.stored[stored.archiveID] = bytes }
        }
        _ = await attempt(ledger) { try await engine.rotateVaultKey(location) }
        await inParts(engine, ledger)
        _ = await attempt(ledger) { try await engine.rotateMasterKey() }
        for id in ledger.stored.keys.sorted() {
            _ = await attempt(ledger) {
                let read = try await read(id, world, engine)
                if let read, read != ledger.stored[id] { ledger.faults.append("wrong bytes were handed out") }
            }
        }
        guard let victim = ledger.stored.keys.sorted().first else { return }
        ledger.doubtful.insert(victim)
        if await attempt(ledger, { try await engine.deleteArchive(location, archiveID: victim) }) != nil {
            ledger.deleted.insert(victim)
        }
        // Long enough for the grace to end and the bytes to go.
        try? await world.simulator.sleep(for: .seconds(1200))
    }

    private static func inParts(_ engine: VaultEngine, _ ledger: Ledger) async {
        let location = World.location("main")
        let bytes = multipart.bytes
        guard let upload = await attempt(ledger, { try await engine.initiateUpload(location, partBytes: 1 << 20, description: "m") })
        else { return }
        for first in stride(from: 0, to: bytes.count, by: 1 << 20) {
            let part = Array(bytes[first..<min(bytes.count, first + 1 << 20)])
            guard let range = ByteRange(first: UInt64(first), last: UInt64(first + part.count - 1)) else { return }
            for _ in 0..<2 {
                let hash = await attempt(ledger) {
                    try await engine.uploadPart(
                        UploadPartRequest(
                            location: location, uploadID: upload, range: range, treeHash: part.treeHash,
                            linearHash: part.linearHash), body: Pieces(bytes: part, pieceBytes: 300_000))
                }
                if hash != nil { break }
            }
        }
        let stored = await attempt(ledger) {
            try await engine.completeUpload(location, uploadID: upload, size: UInt64(bytes.count), treeHash: bytes.treeHash)
        }
        if let stored { ledger.stored[stored.archiveID] = bytes }
    }

    /// Nil when the job failed.
    private static func read(_ id: String, _ world: World, _ engine: VaultEngine) async throws -> [UInt8]? {
        let location = World.location("main")
        let job = try await engine.initiateJob(
            location, JobRequest(action: .archive(archiveID: id, range: nil), tier: nil, description: nil, snsTopic: nil))
        for _ in 0..<200 {
            if try await engine.describeJob(location, jobID: job).status != .inProgress { break }
            try await world.simulator.sleep(for: .milliseconds(500))
        }
        guard try await engine.describeJob(location, jobID: job).status == .succeeded else { return nil }
        let received = Received()
        try await engine.openOutput(location, jobID: job, range: .whole).stream { received.bytes += $0.readableBytesView }
        return received.bytes
    }

    private final class Received: @unchecked Sendable { var bytes: [UInt8] = [] }

    // MARK: after the restart

    private static func audit(_ world: World, _ ledger: Ledger) async throws {
        // An init that failed has promised nothing.
        guard ledger.isInitialised else { return }
        let service = try await Service.open(world)
        let engine = service.engine
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await engine.run() }
            for (id, bytes) in ledger.stored.sorted(by: { $0.key < $1.key }) {
                do {
                    let read = try await read(id, world, engine)
                    if ledger.deleted.contains(id) {
                        ledger.faults.append("a deleted archive is there")
                    } else if read != bytes {
                        ledger.faults.append("an acknowledged archive is not readable and equal")
                    }
                } catch {
                    if !ledger.doubtful.contains(id) { ledger.faults.append("an acknowledged archive: \(error)") }
                }
            }
            group.cancelAll()
        }
        await service.catalog.close()
    }
}
