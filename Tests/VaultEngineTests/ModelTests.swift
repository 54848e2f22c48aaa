// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// The engine against a dictionary: random operations, stores that fail now and then, restarts.
///
/// What may differ from the model is only what was not acknowledged: a failed change may have happened or not. Whatever
/// is handed out is right.
@Suite(.serialized) struct ModelTests {
    private static let mebi = 1 << 20

    /// What a client may believe.
    private struct Model {
        /// Acknowledged archives that were not deleted.
        var archives: [String: [UInt8]] = [:]
        /// Archives whose deletion failed: deleted or not.
        var doubtful: [String: [UInt8]] = [:]
        /// Acknowledged deletions.
        var deleted: Set<String> = []
        /// Uploads or completions that failed: that many more archives may be there.
        var unknownArchives = 0
        var jobs: [String: (archive: String, bytes: [UInt8])] = [:]
        var operations: [String: Int] = [:]
        var failures = 0
    }

    private static let faults: [(MemoryBlobStore.Operation, StorageError.Code)] = [
        (.putAll, .transient), (.putAll, .noSpace), (.putAll, .outcomeUnknown), (.commit, .transient),
        (.commit, .outcomeUnknown),
        (.write, .noSpace), (.write, .transient), (.beginWrite, .noSpace), (.read, .transient), (.size, .transient),
        (.delete, .transient),
        (.list, .transient),
    ]

    @Test(arguments: Seeds.first(2), [EngineConfiguration.OutputMode.inPlace, .staged])
    func acknowledgedMeansReadableAndEqual(seed: UInt64, mode: EngineConfiguration.OutputMode) async throws {
        try await withVault({
            $0.seed = seed
            $0.configuration.outputMode = mode
            $0.configuration.deletionGrace = .seconds(60)
            $0.configuration.outputRetention = .seconds(600)
            $0.configuration.maxJobAttempts = 20
        }) { vault in
            var choices = SeededGenerator(seed: seed)
            var model = Model()
            // Three lives of 100 operations, each by a process that opened the keys itself.
            for _ in 0..<3 {
                let engine = try await vault.anotherEngine()
                try await vault.running([engine]) {
                    for _ in 0..<100 { try await step(vault, engine, &model, &choices) }
                    await calm(vault.cold.memory)
                    try await audit(vault, engine, model, seed: seed)
                }
            }
            #expect(model.operations.count >= 7 && model.failures > 0, "seed \(seed): \(model.operations)")
        }
    }

    private func step(
        _ vault: TestVault, _ engine: VaultEngine, _ model: inout Model, _ choices: inout SeededGenerator
    ) async throws {
        vault.clock.advance(by: .milliseconds(Int64.random(in: 0...2000, using: &choices)))
        if Int.random(in: 0..<4, using: &choices) == 0,
            let (operation, code) = Self.faults.randomElement(using: &choices)
        {
            vault.cold.memory.fail(operation, with: [code])
        }
        let verb = ["upload", "upload", "multipart", "delete", "retrieve", "retrieve", "rotate", "download", "abort"]
            .randomElement(using: &choices)
        model.operations[verb ?? "", default: 0] += 1
        let size = [1, 1000, Self.mebi, Self.mebi + 1, 2 * Self.mebi + 77].randomElement(using: &choices) ?? 1
        let bytes = content(size, seed: choices.next())
        do {
            switch verb {
            case "upload":
                model.unknownArchives += 1
                let stored = try await upload(bytes, vault, engine)
                model.unknownArchives -= 1
                model.archives[stored] = bytes
            case "multipart":
                model.unknownArchives += 1
                let stored = try await multipart(bytes, vault, engine)
                model.unknownArchives -= 1
                model.archives[stored] = bytes
            case "abort":
                let upload = try await engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "")
                try await part(upload, at: 0, Array(bytes.prefix(Self.mebi)), vault, engine)
                try await engine.abortUpload(vault.location, uploadID: upload)
            case "delete":
                guard let id = model.archives.keys.sorted().randomElement(using: &choices) else { return }
                model.doubtful[id] = model.archives.removeValue(forKey: id)
                try await engine.deleteArchive(vault.location, archiveID: id)
                model.doubtful[id] = nil
                model.deleted.insert(id)
            case "retrieve":
                guard let id = model.archives.keys.sorted().randomElement(using: &choices),
                    let whole = model.archives[id]
                else { return }
                let leaves = (whole.count + Self.mebi - 1) / Self.mebi
                let first = Int.random(in: 0..<leaves, using: &choices)
                let end = min(Int.random(in: first + 1...leaves, using: &choices) * Self.mebi, whole.count)
                let job = try await engine.initiateJob(
                    vault.location,
                    JobRequest(
                        action: .archive(
                            archiveID: id, range: ByteRange(first: UInt64(first * Self.mebi), last: UInt64(end - 1))),
                        tier: nil,
                        description: nil, snsTopic: nil))
                model.jobs[job] = (id, Array(whole[first * Self.mebi..<end]))
            case "download":
                guard let job = model.jobs.keys.sorted().randomElement(using: &choices), let expected = model.jobs[job]
                else { return }
                // Whenever it is ready, it is right.
                if let received = try await received(job, vault, engine) { #expect(received == expected.bytes) }
            default:
                _ =
                    try await Bool.random(using: &choices)
                    ? engine.rotateMasterKey() : engine.rotateVaultKey(vault.location)
            }
        } catch let error as VaultError
            where [.unavailable, .internalFailure, .integrity, .notFound].contains(error.code)
        {
            // Only what a failing store explains: a missing archive or upload is never an answer to a valid request.
            #expect(
                error.code != .integrity && (error.code != .notFound || verb == "download"), "\(verb ?? ""): \(error)")
            model.failures += 1
        }
    }

    /// Uses up the failures that are still planned, as time would.
    private func calm(_ store: MemoryBlobStore) async {
        guard let id = BlobID("calm") else { return }
        func insist(_ body: () async throws -> Void) async {
            for _ in 0..<1000 {
                if (try? await body()) != nil { return }
            }
        }
        await insist { try await store.putAll([(id, ByteBuffer(string: "x"))]) }
        await insist { _ = try await store.read(id, range: 0..<1) }
        await insist { _ = try await store.size(of: id) }
        await insist { _ = try await store.list(prefix: "calm", after: nil, limit: 1) }
        await insist { try await store.delete(id) }
        await insist {
            let writer = try await store.beginWrite(id, expectedBytes: 1)
            try await writer.write(ByteBuffer(string: "x"))
            try await writer.commit()
        }
        await insist { try await store.delete(id) }
    }

    private func audit(_ vault: TestVault, _ engine: VaultEngine, _ model: Model, seed: UInt64) async throws {
        let count = try await engine.describeVault(vault.location).archiveCount
        let least = model.archives.count
        #expect((least...least + model.doubtful.count + model.unknownArchives).contains(Int(count)), "seed \(seed)")
        for (id, bytes) in model.archives.sorted(by: { $0.key < $1.key }) {
            let job = try await engine.initiateJob(
                vault.location,
                JobRequest(action: .archive(archiveID: id, range: nil), tier: nil, description: nil, snsTopic: nil))
            try await vault.until("the end of a job", advancing: .milliseconds(100)) {
                try await engine.describeJob(vault.location, jobID: job).status != .inProgress
            }
            let bytesReceived = try await received(job, vault, engine)
            #expect(bytesReceived == bytes, "seed \(seed): \(id)")
        }
        for id in model.deleted {
            await expectRefusal(.notFound) {
                _ = try await engine.initiateJob(
                    vault.location,
                    JobRequest(action: .archive(archiveID: id, range: nil), tier: nil, description: nil, snsTopic: nil))
            }
        }
    }

    private func received(_ job: String, _ vault: TestVault, _ engine: VaultEngine) async throws -> [UInt8]? {
        do {
            return try await TestVault.bytes(of: try await engine.openOutput(vault.location, jobID: job, range: .whole))
        } catch let error as VaultError where [.invalidParameter, .notFound, .unavailable].contains(error.code) {
            // Not finished yet, failed because its archive was deleted first, expired, or the store failed just now.
            return nil
        }
    }

    private func upload(_ bytes: [UInt8], _ vault: TestVault, _ engine: VaultEngine) async throws -> String {
        try await engine.uploadArchive(
            UploadArchiveRequest(
                location: vault.location, contentLength: UInt64(bytes.count), treeHash: naiveTreeHash(bytes),
                linearHash: SHA256Hasher.hash(bytes), description: ""), body: Body(bytes)
        ).archiveID
    }

    private func part(_ upload: String, at first: Int, _ bytes: [UInt8], _ vault: TestVault, _ engine: VaultEngine)
        async throws
    {
        guard let range = ByteRange(first: UInt64(first), last: UInt64(first + bytes.count - 1)) else { return }
        _ = try await engine.uploadPart(
            UploadPartRequest(
                location: vault.location, uploadID: upload, range: range, treeHash: naiveTreeHash(bytes),
                linearHash: SHA256Hasher.hash(bytes)), body: Body(bytes))
    }

    /// As a client does it: each part is sent until it is taken, at most five times.
    private func multipart(_ bytes: [UInt8], _ vault: TestVault, _ engine: VaultEngine) async throws -> String {
        let upload = try await engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "")
        for first in stride(from: 0, to: bytes.count, by: Self.mebi) {
            let piece = Array(bytes[first..<min(first + Self.mebi, bytes.count)])
            for attempt in 1...5 {
                do {
                    try await part(upload, at: first, piece, vault, engine)
                    break
                } catch  where attempt < 5 {
                    vault.clock.advance(by: .milliseconds(1))
                }
            }
        }
        return try await engine.completeUpload(
            vault.location, uploadID: upload, size: UInt64(bytes.count), treeHash: naiveTreeHash(bytes)
        ).archiveID
    }
}
