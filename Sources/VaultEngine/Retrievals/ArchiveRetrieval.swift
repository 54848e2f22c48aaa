// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Logging
import NIOCore
import SealedArchive
import Storage
import TreeHash
import VaultModel

/// Prepares outputs of one archive: recall, then every byte decrypted and every leaf verified; kept in place or staged.
struct ArchiveRetrieval {
    /// Between questions to a store that is thawing blobs, or to a full warm store.
    private static let maxPause: Duration = .seconds(30)

    let engine: VaultEngine
    let vault: VaultRow
    let archive: ArchiveRow
    let reader: ArchiveReader

    /// Recalls what the ranges need. Room in the warm store is set aside by ``prepare``, before its reads.
    static func open(
        _ archive: ArchiveRow, in vault: VaultRow, engine: VaultEngine, ranges: [ByteRange]
    ) async throws -> ArchiveRetrieval {
        let manifest = try blobID(
            BlobName.manifest(
                account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: archive.uid.bytes,
                generation: archive.generation
            ).text)
        try await recall([manifest], engine)
        let reader = try await ArchiveReader.open(archive, in: vault, engine: engine)
        var blobs: Set<BlobID> = []
        for range in ranges { blobs.formUnion(try reader.blobs(holding: range)) }
        try await recall(blobs.sorted(), engine)
        return ArchiveRetrieval(engine: engine, vault: vault, archive: archive, reader: reader)
    }

    private static func recall(_ blobs: [BlobID], _ engine: VaultEngine) async throws {
        guard engine.cold.readsNeedRecall else { return }
        while case .pending(let wait) = try await engine.cold.recall(blobs) {
            try await engine.clock.sleep(for: min(max(wait, .milliseconds(10)), maxPause))
        }
    }

    func prepare(_ range: ByteRange) async throws -> PreparedOutput {
        guard engine.stagesOutput else {
            let hash = try await verify(range) { hasher in
                try await reader.forEachFrame(in: range) { digest, _ in hasher.append(leaf: digest) }
            }
            return PreparedOutput(bytes: range.count, staged: nil, isNew: false, rangeTreeHash: hash, nextMarker: nil)
        }
        if let staged = try await engine.catalog.staged(archive: archive.uid, range: range) {
            let hash = range.isTreeHashAligned(size: archive.size) ? try await reader.treeHash(of: range) : nil
            return PreparedOutput(bytes: range.count, staged: staged, isNew: false, rangeTreeHash: hash, nextMarker: nil)
        }
        return try await stage(range)
    }

    /// Reads the whole range through decryption and leaf hashes; checks the tree hash where one is known. Returns it if the range has one.
    private func verify(_ range: ByteRange, _ read: (inout TreeHasher) async throws -> Void) async throws -> SHA256Digest? {
        var hasher = TreeHasher()
        try await read(&hasher)
        guard range.isTreeHashAligned(size: archive.size) else { return nil }
        guard range.count < archive.size || hasher.root == reader.manifest.treeHash else {
            throw FormatError.malformed("archive: its leaves do not make its tree hash")
        }
        return hasher.root
    }

    private func stage(_ range: ByteRange) async throws -> PreparedOutput {
        let needed = PartSealer.maxBlobBytes(contentBytes: range.count)
        guard engine.scheduler.reserve(needed, available: try await engine.warm.availableBytes()) else {
            // The job goes back to the queue and others run meanwhile: outputs expire and operators free space.
            throw StorageError(.noSpace, "the warm store has no room for an output of \(needed) bytes; the job waits")
        }
        defer { engine.scheduler.unreserve(needed) }
        // What has gone into a staged object cannot be taken back: after damage it is begun anew, from one copy alone.
        return try await engine.cold.readingCopies { copy in try await stage(range, from: reader.reading(from: copy)) }
    }

    private func stage(_ range: ByteRange, from reader: ArchiveReader) async throws -> PreparedOutput {
        let writer = try await StagedWriter.begin(vault: vault, engine: engine, maxBytes: range.count)
        do {
            let hash = try await verify(range) { hasher in
                try await reader.transfer(range, to: writer) { hasher.append(leaf: $0) }
            }
            let staged = try await writer.commit(archive: archive.uid, range: range)
            return PreparedOutput(bytes: range.count, staged: staged, isNew: true, rangeTreeHash: hash, nextMarker: nil)
        } catch {
            await writer.abandon()
            throw error
        }
    }
}
