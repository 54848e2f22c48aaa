// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import NIOCore
import SQLiteCatalog
import Storage
import VaultModel

@testable import VaultEngine

/// The fixed scene of ``DiskErrorTests``: everything that writes, once. It notes what it was told, and holds the service to it afterwards.
/// On the simulator's thread alone, hence `@unchecked Sendable`.
final class DiskScene: @unchecked Sendable {
    private static let small = Recipe(numbers: [1], count: 5000)
    private static let large = Recipe(numbers: [2], count: 1 << 20 + 70_000)
    private static let multipart = Recipe(numbers: [3, 4], count: 1 << 20 + 3000)
    private static let location = World.location("main")

    private let world: World
    private var stored: [(id: String, bytes: [UInt8])] = []
    private var deleted: Set<String> = []
    /// A deletion was tried.
    private var doubtful: Set<String> = []
    private var tags: Set<String?> = [nil]
    private var isInitialised = false
    /// The service could not start, and has ended.
    private var isDown = false
    private(set) var refusals: [String] = []
    var faults: [String] = []

    init(_ world: World) { self.world = world }

    // MARK: before

    /// What fails may fail; what is answered counts.
    @discardableResult private func attempt<R>(_ body: () async throws -> R) async -> R? {
        guard !isDown else { return nil }
        do {
            return try await body()
        } catch {
            refusals.append("\(error)")
            return nil
        }
    }

    func play() async {
        guard await attempt({ try await Service.initialise(world) }) != nil else { return }
        isInitialised = true
        if let path = world.backupPath, let disk = world.otherDisk {
            await attempt { try await disk.createDirectory(path) }
            await attempt { try await disk.replace("\(world.dataPath)/format.json", with: Array("{}".utf8)) }
        }
        guard let service = await attempt({ try await Service.open(world) }) else { return }
        let engine = service.engine
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                try? await engine.run()
                isDown = true
            }
            await requests(engine)
            group.cancelAll()
        }
        if engine.budget.freeBytes != world.configuration.memoryBudgetBytes { faults.append("working memory was not given back") }
        await service.catalog.close()
    }

    private func requests(_ engine: VaultEngine) async {
        for content in [Self.small, Self.large] { await store(content, engine) }
        await attempt { try await engine.rotateVaultKey(Self.location) }
        await inParts(engine)
        await attempt { try await engine.rotateMasterKey() }
        tags.insert("b")
        if await attempt({ try await engine.addTags(Self.location, ["a": "b"]) }) != nil { tags = ["b"] }
        for archive in stored { await attempt { try await check(archive, engine) } }
        await attempt { try await inventory(engine) }
        await attempt { try await engine.orderRewrap(nil, perSecond: 0) }
        await attempt { try await engine.startScrub() }
        await attempt { try await engine.checkpoint(.operator) }
        await backUp(engine)
        await pause(.seconds(30))
        // One goes by itself after the grace, one at once.
        if let first = stored.first { await delete(first.id, engine) }
        let count = stored.count
        await store(Self.small, engine)
        // Nothing is retrieved from it, which would put its purge off.
        if stored.count > count, let last = stored.last {
            await delete(last.id, engine)
            await attempt { try await engine.purgeArchive(Self.location, archiveID: last.id) }
        }
        await pause(.seconds(180))
    }

    private func pause(_ duration: Duration) async {
        if !isDown { try? await world.simulator.sleep(for: duration) }
    }

    private func store(_ content: Recipe, _ engine: VaultEngine) async {
        let bytes = content.bytes
        let answer = await attempt {
            try await engine.uploadArchive(
                UploadArchiveRequest(
                    location: Self.location, contentLength: UInt64(bytes.count), treeHash: bytes.treeHash,
                    linearHash: bytes.linearHash, description: "x"), body: Pieces(bytes: bytes, pieceBytes: 300_000))
        }
        if let answer { stored.append((answer.archiveID, bytes)) }
    }

    private func inParts(_ engine: VaultEngine) async {
        let bytes = Self.multipart.bytes
        guard
            let upload = await attempt({ try await engine.initiateUpload(Self.location, partBytes: 1 << 20, description: "m") })
        else { return }
        for first in stride(from: 0, to: bytes.count, by: 1 << 20) {
            let part = Array(bytes[first..<min(bytes.count, first + 1 << 20)])
            guard let range = ByteRange(first: UInt64(first), last: UInt64(first + part.count - 1)) else { return }
            for _ in 0..<2 {
                let hash = await attempt {
                    try await engine.uploadPart(
                        UploadPartRequest(
                            location: Self.location, uploadID: upload, range: range, treeHash: part.treeHash,
                            linearHash: part.linearHash), body: Pieces(bytes: part, pieceBytes: 300_000))
                }
                if hash != nil { break }
            }
        }
        let answer = await attempt {
            try await engine.completeUpload(Self.location, uploadID: upload, size: UInt64(bytes.count), treeHash: bytes.treeHash)
        }
        if let answer { stored.append((answer.archiveID, bytes)) }
        // One that is given up.
        if let other = await attempt({ try await engine.initiateUpload(Self.location, partBytes: 1 << 20, description: "a") }) {
            await attempt { try await engine.abortUpload(Self.location, uploadID: other) }
        }
    }

    private func delete(_ id: String, _ engine: VaultEngine) async {
        doubtful.insert(id)
        if await attempt({ try await engine.deleteArchive(Self.location, archiveID: id) }) != nil { deleted.insert(id) }
    }

    private func backUp(_ engine: VaultEngine) async {
        guard let path = world.backupPath else { return }
        await attempt { try await engine.addBackupKey(Hex.encode((1...32).map { UInt8($0) })) }
        await attempt { try await engine.createBackup(in: path) }
    }

    // MARK: jobs

    private func finish(_ action: JobRequest.Action, _ engine: VaultEngine) async throws -> [UInt8]? {
        let job = try await engine.initiateJob(
            Self.location, JobRequest(action: action, tier: nil, description: nil, snsTopic: nil))
        for _ in 0..<300 {
            if try await engine.describeJob(Self.location, jobID: job).status != .inProgress { break }
            try await world.simulator.sleep(for: .milliseconds(500))
        }
        guard try await engine.describeJob(Self.location, jobID: job).status == .succeeded else { return nil }
        let received = Received()
        try await engine.openOutput(Self.location, jobID: job, range: .whole).stream { received.bytes += $0.readableBytesView }
        return received.bytes
    }

    private final class Received: @unchecked Sendable { var bytes: [UInt8] = [] }

    private func inventory(_ engine: VaultEngine) async throws {
        _ = try await finish(.inventory(InventoryParameters()), engine)
    }

    /// True when the archive came back. Wrong bytes are a fault whatever fails.
    @discardableResult private func check(_ archive: (id: String, bytes: [UInt8]), _ engine: VaultEngine) async throws -> Bool {
        guard let bytes = try await finish(.archive(archiveID: archive.id, range: nil), engine) else { return false }
        if bytes != archive.bytes { faults.append("wrong bytes were handed out") }
        return bytes == archive.bytes
    }

    // MARK: after

    /// The disk is good again, the process is new.
    func audit() async throws {
        // An init that failed has promised nothing.
        guard isInitialised else { return }
        isDown = false
        let service = try await Service.open(world)
        let engine = service.engine
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                do { try await engine.run() } catch { if !Task.isCancelled { faults.append("the engine does not run: \(error)") } }
            }
            for archive in stored { await audit(archive, engine) }
            await goOn(engine)
            group.cancelAll()
        }
        try await world.withRebuiltCatalog { catalog, rebuilt in
            for archive in stored where !doubtful.contains(archive.id) {
                guard let id = rebuilt.keyring.identifiers.parse(archive.id, kind: .archive, account: World.account),
                    try await catalog.archive(ArchiveUID(words: id.uid))?.state == .stored
                else {
                    faults.append("a rebuild does not find an acknowledged archive")
                    continue
                }
            }
        }
        await service.catalog.close()
    }

    private func audit(_ archive: (id: String, bytes: [UInt8]), _ engine: VaultEngine) async {
        do {
            let isRead = try await check(archive, engine)
            if deleted.contains(archive.id) {
                faults.append("a deleted archive is there")
            } else if !isRead {
                faults.append("an acknowledged archive is not readable and equal")
            }
        } catch {
            if !doubtful.contains(archive.id) { faults.append("an acknowledged archive: \(error)") }
        }
    }

    /// Forward progress: new requests succeed, and a scrub finds nothing wrong.
    private func goOn(_ engine: VaultEngine) async {
        do {
            let seen = try await engine.tags(Self.location)["a"]
            if !tags.contains(seen) { faults.append("an acknowledged tag is \(seen ?? "absent")") }
            let before = stored.count
            await store(Self.small, engine)
            guard stored.count > before, try await check(stored[before], engine) else {
                return faults.append("nothing can be stored any more")
            }
            let pass = try await engine.startScrub().pass
            for _ in 0..<300 {
                let status = try await engine.scrubStatus()
                if status.pass > pass, status.activity == .waiting { break }
                try await world.simulator.sleep(for: .seconds(2))
            }
            let status = try await engine.scrubStatus()
            if status.activity != .waiting || status.pass <= pass { faults.append("the scrub does not end: \(status.activity)") }
            let damaged = try await engine.damagedArchives(in: nil, after: nil, limit: 10).archives
            if !damaged.isEmpty { faults.append("the scrub found damage: \(damaged.map(\.reason))") }
        } catch {
            faults.append("after the restart: \(error)")
        }
    }
}
