// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import FileKeyCustody
import Foundation
import Logging
import Messaging
import NIOCore
import SQLiteCatalog
import Storage
import StorageLaws
import Synchronization
import Testing
import VaultModel

@testable import VaultEngine

/// Key files in memory.
final class MemoryKeyFiles: KeyFileStore {
    private let files = Mutex<[String: [UInt8]]>([:])
    private let hook = Mutex<(@Sendable () async -> Void)?>(nil)

    private let rest = Mutex<Int?>(nil)

    /// After `count` more changes nothing is changed any more and every change fails, as if the process had been killed there.
    func die(after count: Int?) { rest.withLock { $0 = count } }

    private func spend() throws(StorageError) {
        let isAlive = rest.withLock { rest -> Bool in
            guard let left = rest else { return true }
            rest = left - 1
            return left > 0
        }
        guard isAlive else { throw StorageError(.transient, "the process has ended") }
    }

    var all: [String: [UInt8]] { files.withLock { $0 } }

    /// Runs `body` once, before the next file is replaced.
    func beforeNextReplacement(_ body: @escaping @Sendable () async -> Void) { hook.withLock { $0 = body } }

    func list() async throws(StorageError) -> [String] { files.withLock { $0.keys.sorted() } }
    func read(_ name: String) async throws(StorageError) -> [UInt8] {
        guard let bytes = files.withLock({ $0[name] }) else { throw StorageError(.notFound, "no \(name)") }
        return bytes
    }
    func replace(_ name: String, with bytes: [UInt8]) async throws(StorageError) {
        let hook = hook.withLock { hook in
            defer { hook = nil }
            return hook
        }
        await hook?()
        try spend()
        files.withLock { $0[name] = bytes }
    }
    func remove(_ name: String) async throws(StorageError) {
        try spend()
        _ = files.withLock { $0.removeValue(forKey: name) }
    }
    func copyAll(to path: String) async throws(StorageError) -> Int { files.withLock { $0.count } }
}

/// What a test may choose before its vault is made.
struct Setup {
    var configuration = EngineConfiguration()
    var cold = MemoryBlobStore()
    var warm = MemoryBlobStore()
    var seed: UInt64 = 1
    var transport: (any MessageTransport)?

    init() {
        // The clock stands still unless a test moves it, so that a slow machine loses no lease.
        configuration.lease = .seconds(3600)
    }
}

/// An engine over a real catalog in a temporary directory, stores in memory, and a clock and randomness that the test
/// holds.
final class TestVault: Sendable {
    static let compute = BlockingPool(name: "compute", threads: 2)
    static let account = AccountID("123456789012")!
    static let region = Region("us-east-1")!

    let setup: EngineConfiguration
    let transport: (any MessageTransport)?
    let directory: String
    let clock: ManualClock
    let random: SeededRandom
    let catalog: SQLiteCatalog
    let cold: ObservedStore
    let warm: ObservedStore
    let keyFiles: MemoryKeyFiles
    let root: SecretKey
    let keyring: Keyring
    let engine: VaultEngine

    init(_ setup: Setup, directory: String) async throws {
        self.setup = setup.configuration
        transport = setup.transport
        self.directory = directory
        clock = ManualClock()
        random = SeededRandom(seed: setup.seed)
        catalog = try await SQLiteCatalog.open(path: directory + "/catalog.sqlite")
        cold = ObservedStore(setup.cold)
        warm = ObservedStore(setup.warm)
        keyFiles = MemoryKeyFiles()
        root = SecretKey(random: random)
        let recovery = SecretKey(random: random)
        try await Keyring.create(
            files: keyFiles, root: FileKeyCustody(rootKey: root, random: random),
            recovery: RecoveryKeyCustody(recoveryKey: recovery, random: random), recoveryKey: recovery,
            now: clock.now(), random: random)
        keyring = try await Self.openKeyring(keyFiles, root, random)
        engine = Self.engine(setup.configuration, catalog, cold, warm, keyring, clock, random, transport)
    }

    static func openKeyring(_ files: MemoryKeyFiles, _ root: SecretKey, _ random: SeededRandom) async throws -> Keyring
    {
        try await Keyring.open(files: files, root: FileKeyCustody(rootKey: root, random: random), random: random) {
            RecoveryKeyCustody(recoveryKey: $0, random: random)
        }
    }

    private static func engine(
        _ configuration: EngineConfiguration, _ catalog: SQLiteCatalog, _ cold: ObservedStore, _ warm: ObservedStore,
        _ keyring: Keyring,
        _ clock: any TimeSource, _ random: SeededRandom, _ transport: (any MessageTransport)?
    ) -> VaultEngine {
        VaultEngine(
            configuration: configuration, catalog: catalog, cold: cold, warm: warm, keyring: keyring, compute: compute,
            clock: clock,
            random: random, transport: transport, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Another process over the same catalog and stores: it has opened the keys itself.
    func anotherEngine(clock other: (any TimeSource)? = nil) async throws -> VaultEngine {
        Self.engine(
            setup, catalog, cold, warm, try await Self.openKeyring(keyFiles, root, random), other ?? clock, random,
            transport)
    }

    static func location(_ name: String) -> VaultLocation {
        VaultLocation(account: account, region: region, name: VaultName(name)!)
    }
    var location: VaultLocation { Self.location("v") }

    // MARK: running

    /// Runs `body` while the engine (or `others`) runs.
    func running<R>(_ others: [VaultEngine]? = nil, _ body: () async throws -> R) async throws -> R {
        let engines = others ?? [engine]
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for engine in engines { group.addTask { try await engine.run() } }
            do {
                let result = try await body()
                group.cancelAll()
                try await group.waitForAll()
                return result
            } catch {
                group.cancelAll()
                throw error
            }
        }
    }

    struct DidNotHappen: Error { let what: String }

    /// Waits until `condition` holds, moving the clock by `step` at each look; fails after three minutes of real time, which is for machines that have much else to do.
    func until(_ what: String, advancing step: Duration = .zero, _ condition: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(180)
        while try await !condition() {
            guard ContinuousClock.now < end else { throw DidNotHappen(what: what) }
            if step > .zero { clock.advance(by: step) }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    // MARK: verbs

    @discardableResult
    func upload(_ bytes: [UInt8], description: String = "", to location: VaultLocation? = nil) async throws
        -> StoredArchive
    {
        try await engine.uploadArchive(
            UploadArchiveRequest(
                location: location ?? self.location, contentLength: UInt64(bytes.count), treeHash: naiveTreeHash(bytes),
                linearHash: SHA256Hasher.hash(bytes), description: description),
            body: Body(bytes))
    }

    @discardableResult
    func part(_ upload: String, at first: Int, _ bytes: [UInt8]) async throws -> SHA256Digest {
        try await engine.uploadPart(
            UploadPartRequest(
                location: location, uploadID: upload,
                range: ByteRange(first: UInt64(first), last: UInt64(first + bytes.count - 1))!,
                treeHash: naiveTreeHash(bytes),
                linearHash: SHA256Hasher.hash(bytes)),
            body: Body(bytes))
    }

    /// All parts in order, then completion.
    func multipart(_ bytes: [UInt8], partBytes: Int = 1 << 20, description: String = "") async throws -> StoredArchive {
        let upload = try await engine.initiateUpload(location, partBytes: UInt64(partBytes), description: description)
        for first in stride(from: 0, to: bytes.count, by: partBytes) {
            try await part(upload, at: first, Array(bytes[first..<min(first + partBytes, bytes.count)]))
        }
        return try await engine.completeUpload(
            location, uploadID: upload, size: UInt64(bytes.count), treeHash: naiveTreeHash(bytes))
    }

    func retrieve(
        _ archiveID: String, range: ByteRange? = nil, tier: RetrievalTier? = nil, description: String? = nil,
        from location: VaultLocation? = nil
    ) async throws -> String {
        try await engine.initiateJob(
            location ?? self.location,
            JobRequest(
                action: .archive(archiveID: archiveID, range: range), tier: tier, description: description,
                snsTopic: nil))
    }

    func status(_ job: String) async throws -> JobDescription.Status {
        try await engine.describeJob(location, jobID: job).status
    }

    /// The job once it has ended.
    func ended(_ job: String, advancing step: Duration = .zero) async throws -> JobDescription {
        try await until("the end of a job", advancing: step) { try await status(job) != .inProgress }
        return try await engine.describeJob(location, jobID: job)
    }

    func output(_ job: String, _ range: OutputRange = .whole, of engine: VaultEngine? = nil) async throws -> [UInt8] {
        let output = try await (engine ?? self.engine).openOutput(location, jobID: job, range: range)
        return try await Self.bytes(of: output)
    }

    static func bytes(of output: JobOutput) async throws -> [UInt8] {
        let received = Mutex<[UInt8]>([])
        try await output.stream { buffer in received.withLock { $0 += buffer.readableBytesView } }
        return received.withLock { $0 }
    }

    /// Retrieves through a job of its own; the engine must be running.
    func download(_ archiveID: String, range: ByteRange? = nil) async throws -> [UInt8] {
        let job = try await retrieve(archiveID, range: range)
        let description = try await ended(job)
        #expect(description.status == .succeeded, "\(description.statusMessage ?? "")")
        return try await output(job)
    }
}

/// Runs `body` with a fresh vault service that has one vault, `v`.
func withVault<R>(_ adjust: (inout Setup) -> Void = { _ in }, _ body: (TestVault) async throws -> R) async throws -> R {
    var setup = Setup()
    adjust(&setup)
    let fixed = setup
    return try await withTemporaryDirectory { directory in
        let vault = try await TestVault(fixed, directory: directory)
        do {
            try await vault.engine.createVault(vault.location)
            let result = try await body(vault)
            // Whatever happened: all working memory has been given back.
            #expect(vault.engine.budget.freeBytes == fixed.configuration.memoryBudgetBytes)
            await vault.catalog.close()
            return result
        } catch {
            await vault.catalog.close()
            throw error
        }
    }
}

/// Expects a `VaultError` of this code whose message contains `text`.
func expectRefusal(
    _ code: VaultError.Code, _ text: String = "", sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> Void
) async {
    do {
        try await body()
        Issue.record("expected \(code) \(text), but it succeeded", sourceLocation: sourceLocation)
    } catch let error as VaultError {
        #expect(
            error.code == code && (text.isEmpty || error.message.contains(text)), "\(error)",
            sourceLocation: sourceLocation)
    } catch {
        Issue.record("expected \(code) \(text), got \(error)", sourceLocation: sourceLocation)
    }
}

extension TestVault {
    /// Orders the re-wrap of everything and waits for its end.
    func rewrap() async throws {
        _ = try await engine.orderRewrap(nil, perSecond: 0)
        try await running {
            try await until("the end of the re-wrap", advancing: .seconds(1)) {
                [.done, .blocked].contains(engine.rewrapStatus.phase)
            }
        }
        #expect(engine.rewrapStatus.phase == .done, "\(engine.rewrapStatus)")
    }

    /// Retrieves the archive and compares; the engine must be running.
    func check(_ archiveID: String, holds bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation)
        async throws
    {
        let downloaded = try await download(archiveID)
        #expect(downloaded == bytes, sourceLocation: sourceLocation)
    }

    /// A copy of the catalog as it lies on the disk.
    func catalogBytes() async throws -> [UInt8] {
        let path = directory + "/copy-\(random.bytes(4)).sqlite"
        try await catalog.backup(to: path)
        return [UInt8](try Data(contentsOf: URL(filePath: path)))
    }
}

extension Array where Element == UInt8 {
    func holds(_ needle: [UInt8]) -> Bool { Data(self).range(of: Data(needle)) != nil }
}
