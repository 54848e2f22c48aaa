// SPDX-License-Identifier: Apache-2.0

import Foundation
import SQLiteCatalog
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Races that the simulation has found, each as a scene of its own under many schedules.
@Suite(.serialized) struct ScheduleTests {
    private struct Upload {
        let id: String
        let location: VaultLocation
        let bytes: [UInt8]
    }

    /// Runs `scene` in good weather on a fresh service, under so many schedules.
    private func underSchedules(_ count: Int, _ scene: @escaping @Sendable (World, VaultEngine) async throws -> Void) async throws {
        for seed in Seeds.first(count, base: 100) {
            let violations = try await withTemporaryDirectory(in: simulationDirectory) { directory in
                await onOwnThread {
                    let world = World(seed: seed, directory: directory)
                    world.phase("scene") {
                        try await Service.initialise(world)
                        let service = try await Service.open(world)
                        do {
                            try await scene(world, service.engine)
                        } catch {
                            world.violation("\(error)")
                        }
                        await service.catalog.close()
                    }
                    return world.violations
                }
            }
            #expect(violations.isEmpty, "\(violations)")
        }
    }

    private static func upload(_ engine: VaultEngine) async throws -> Upload {
        let location = World.location("main")
        let bytes = Recipe(numbers: [1], count: 3000).bytes
        let id = try await engine.initiateUpload(location, partBytes: 1 << 20, description: "")
        _ = try await engine.uploadPart(
            UploadPartRequest(
                location: location, uploadID: id, range: ByteRange.whole(size: UInt64(bytes.count))!, treeHash: bytes.treeHash,
                linearHash: bytes.linearHash), body: Pieces(bytes: bytes, pieceBytes: 1000))
        return Upload(id: id, location: location, bytes: bytes)
    }

    private static func complete(_ upload: Upload, _ engine: VaultEngine) async -> Result<String, VaultError> {
        do throws(VaultError) {
            return .success(
                try await engine.completeUpload(
                    upload.location, uploadID: upload.id, size: UInt64(upload.bytes.count), treeHash: upload.bytes.treeHash
                ).archiveID)
        } catch {
            return .failure(error)
        }
    }

    private static func abort(_ upload: Upload, _ engine: VaultEngine) async -> Bool {
        (try? await engine.abortUpload(upload.location, uploadID: upload.id)) != nil
    }

    /// Found by seed 1: the one that came second found no parts any more and was told that none had been sent.
    @Test func completingTwiceAtOnceGivesOneArchive() async throws {
        try await underSchedules(12) { world, engine in
            let upload = try await Self.upload(engine)
            async let first = Self.complete(upload, engine)
            async let second = Self.complete(upload, engine)
            let answers = await [first, second]
            world.check(Set(answers.compactMap { try? $0.get() }).count == 1, "\(answers)")
            // Both may write the same manifest in the same millisecond; then one is asked to try again.
            for case .failure(let error) in answers { world.check(error.code == .unavailable, "\(error)") }
        }
    }

    /// Found by seed 10, for the same reason.
    @Test func completingWhatIsBeingAbortedEitherStoresItOrDoesNotFindIt() async throws {
        try await underSchedules(12) { world, engine in
            let upload = try await Self.upload(engine)
            async let completed = Self.complete(upload, engine)
            async let aborted = Self.abort(upload, engine)
            switch await (completed, aborted) {
            case (.success, false): break
            case (.failure(let error), true): world.check(error.code == .notFound, "\(error)")
            case (let completed, let aborted): world.violation("\(completed), aborted: \(aborted)")
            }
        }
    }
}
