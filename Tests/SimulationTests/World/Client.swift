// SPDX-License-Identifier: Apache-2.0

import Cryptography
import VaultModel

@testable import VaultEngine

/// One client (and now and then the operator): does things one after the other and holds the answers against the oracle.
struct Client: Sendable {
    enum Answer<R> {
        case done(R)
        /// A refusal that the caller expected to be possible.
        case refused(VaultError)
        /// It may have happened or not.
        case unknown
    }

    let world: World
    let engines: [VaultEngine]
    let number: Int

    var oracle: Oracle { world.oracle }
    var engine: VaultEngine { engines[world.pick(engines.count)] }

    func run(operations: Int) async {
        for _ in 0..<operations where !world.isDead {
            try? await world.simulator.sleep(for: .milliseconds(Int64(world.pick(4000))))
            if world.isDead { return }
            await operation()
        }
    }

    private func operation() async {
        let vault = World.vaults[[0, 0, 0, 1, 2][world.pick(5)]]
        switch world.pick(28) {
        case 0...3: await upload(to: vault)
        case 4...7: await multipart(to: vault)
        case 8...10: await delete(in: vault)
        case 11...15: await retrieve(from: vault)
        case 16, 17: await download()
        case 18: await inventory(of: vault)
        case 19: await tag(vault)
        case 20: await scratchVault()
        case 21: await rotate(vault)
        case 22: await lockLedger()
        case 23: await rewrap(vault)
        case 24: await endKey()
        case 25: await purge(in: vault)
        case 26: await scrub()
        default: await observeJobs()
        }
    }

    /// One request. Whatever came after the death of the service was never received.
    func ask<R>(
        _ what: String, refusals: Set<VaultError.Code> = [], _ body: () async throws -> R
    ) async -> Answer<R> {
        let faults = world.weather.faults
        world.count(String(what.prefix { $0 != " " }))
        do {
            let result = try await body()
            if world.isDead { return .unknown }
            world.note("\(number): \(what) ok")
            return .done(result)
        } catch let error as VaultError {
            world.note("\(number): \(what) \(error.code)")
            if world.isDead { return .unknown }
            if refusals.contains(error.code) { return .refused(error) }
            world.count("failed requests")
            switch error.code {
            case .unavailable:
                // Only parts never stand in each other's way; and a full medium is nobody's fault.
                world.check(
                    !what.hasPrefix("part") || world.hasLittleRoom || world.isExcused(since: faults), "\(what) has to wait: \(error)")
            case .internalFailure, .integrity:
                world.check(world.isExcused(since: faults), "\(what) failed without a reason: \(error)")
            default: world.violation("\(what) was refused: \(error)")
            }
            return .unknown
        } catch {
            world.note("\(number): \(what) threw")
            world.check(world.isExcused(since: faults), "\(what) threw \(error)")
            return .unknown
        }
    }

    // MARK: storing

    private static let sizes = [1, 37, 4096, 70_000, 70_000, 300_000, 1 << 20, 1 << 20 + 1]

    private func upload(to vault: String) async {
        let content = world.content(Self.sizes)
        let bytes = content.bytes
        if world.pick(10) == 0 {
            // Declared otherwise than sent: nothing of it may ever appear.
            let answer = await ask("wrong-upload", refusals: [.invalidParameter, .invalidSignature]) {
                try await send(bytes, treeHash: (bytes + [0]).treeHash, description: "wrong", to: vault)
            }
            if case .done = answer { world.violation("an archive was stored whose hash is not what the client declared") }
            return
        }
        let attempt = oracle.begin(content, in: vault)
        let answer = await ask("upload n\(attempt)") {
            try await send(bytes, treeHash: bytes.treeHash, description: "n\(attempt)", to: vault)
        }
        if case .done(let stored) = answer { acknowledge(attempt, stored, content) }
    }

    private func send(_ bytes: [UInt8], treeHash: SHA256Digest, description: String, to vault: String) async throws -> StoredArchive {
        try await engine.uploadArchive(
            UploadArchiveRequest(
                location: World.location(vault), contentLength: UInt64(bytes.count), treeHash: treeHash,
                linearHash: bytes.linearHash, description: description),
            body: Pieces(bytes: bytes, pieceBytes: 200_000))
    }

    func acknowledge(_ attempt: Int, _ stored: StoredArchive, _ content: Recipe) {
        world.check(stored.treeHash == content.bytes.treeHash, "the answer for n\(attempt) has another tree hash")
        world.check(
            oracle.acknowledge(attempt, as: stored.archiveID, content),
            "upload n\(attempt) became a second archive: \(stored.archiveID)")
    }

    // MARK: deleting

    private func delete(in vault: String) async {
        let candidates = oracle.archives(in: vault, world.pick(4) == 0 && vault != "ledger" ? .doubtful : .stored)
        guard !candidates.isEmpty else { return }
        let archive = candidates[world.pick(candidates.count)]
        // A few stay for ever, so that old archives are read after many lives.
        guard archive.attempt % 4 != 0 else { return }
        let wasLocked = vault == "ledger" && oracle.isLocked
        oracle.update(archive.id) { $0.fate = .doubtful }
        let answer = await ask("delete n\(archive.attempt)", refusals: vault == "ledger" ? [.accessDenied] : []) {
            try await engine.deleteArchive(World.location(vault), archiveID: archive.id)
        }
        switch answer {
        case .done:
            world.check(!wasLocked, "n\(archive.attempt) was deleted out of a locked vault")
            oracle.update(archive.id) {
                $0.fate = .deleted
                $0.deleted = world.clock.now()
            }
        case .refused:
            // Another deletion may be under way; only the one who saw it stored may call it stored again.
            if archive.fate == .stored { oracle.update(archive.id) { if $0.fate == .doubtful { $0.fate = .stored } } }
        case .unknown: break
        }
    }
}
