// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// Takes one part's bytes from the network to the cold store: frames, hashes, LZ4, seal, write; two frames in flight, so that receiving one
/// overlaps with sealing the other. Nothing is visible in the store until ``PartDraft/commit``.
struct PartIntake {
    /// What a part needs in memory, taken from the budget before the body is read.
    static func workingBytes(partBytes: UInt64) -> Int {
        let frame = Int(min(partBytes, UInt64(Limits.leafBytes)))
        // Two frames, one sealed frame, the sealer's scratch, and what the transport holds (measured: up to 640 KiB a connection).
        return 4 * frame + min(2 * frame, 640 << 10) + 32 << 10
    }

    let engine: VaultEngine
    let vault: VaultRow
    let archive: ArchiveUID
    let dataKey: SecretKey
    let index: UInt32
    let number: UInt64
    let length: UInt64

    var blobName: String {
        BlobName.part(
            account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: archive.bytes, index: index, number: number
        ).text
    }

    /// Reads the body to its end and leaves a sealed, not yet visible blob. Throws what the body throws; then nothing stays behind.
    func receive<Body: AsyncSequence & Sendable>(_ body: Body) async throws -> PartDraft where Body.Element == ByteBuffer {
        let scratch = engine.scratch.take()
        defer { engine.scratch.give(scratch) }
        let compress = vault.compression.map { $0 == "lz4" } ?? engine.configuration.compress
        let sealer = try PartSealer(
            preamble: BlobPreamble(kind: .part, uid: archive.bytes, index: index, number: number),
            account: vault.location.account.digits, vaultUID: vault.uid.bytes, key: dataKey, compress: compress,
            expectedBytes: length, random: engine.random, scratch: scratch)
        let target: PartTarget =
            length <= UInt64(Limits.leafBytes)
            ? .memory(ByteBuffer())
            : .store(try await engine.cold.beginWrite(try blobID(blobName), expectedBytes: PartSealer.maxBlobBytes(contentBytes: length)))
        let step = SealStep(sealer: sealer, compute: engine.compute, target: target)
        do {
            var collector = FrameCollector(body, declaredBytes: length)
            var current = ByteBuffer()
            var spare = ByteBuffer()
            var more = try await collector.next(into: &current)
            while more {
                let frame = current
                current = ByteBuffer()
                let isLast = collector.isComplete
                async let returned = step.consume(frame, isLast: isLast)
                more = try await collector.next(into: &spare)
                current = spare
                spare = try await returned
            }
            let summary = try await step.finish()
            guard summary.length == length else {
                throw VaultError(.invalidParameter, "The body has \(summary.length) bytes where \(length) were declared.")
            }
            return PartDraft(blob: try blobID(blobName), target: step.target, summary: summary)
        } catch {
            await step.target.abandon()
            throw error
        }
    }
}

/// Where sealed bytes go: a small part stays in memory and becomes durable together with its manifest behind one barrier.
enum PartTarget: Sendable {
    case memory(ByteBuffer)
    case store(any BlobWriter)

    func abandon() async {
        if case .store(let writer) = self { await writer.abandon() }
    }
}

/// A part that is sealed and, if large, written, but not visible.
struct PartDraft: Sendable {
    let blob: BlobID
    let target: PartTarget
    let summary: SealedPartSummary

    /// Makes the part (and then `others`, in order) durable and visible.
    func commit(with others: [(id: BlobID, bytes: ByteBuffer)], in store: any BlobStore) async throws {
        switch target {
        case .memory(let bytes):
            try await store.putAll([(blob, bytes)] + others)
        case .store(let writer):
            try await writer.commit()
            if !others.isEmpty { try await store.putAll(others) }
        }
    }

    func abandon() async { await target.abandon() }

    /// Compares what the client declared with what arrived; says so when a client mixed up its two hashes.
    func check(treeHash: SHA256Digest, linearHash: SHA256Digest) throws(VaultError) {
        if let computed = summary.linearHash, computed != linearHash {
            let hint = linearHash == summary.treeHash ? " (this is the SHA-256 tree hash; x-amz-content-sha256 is the linear SHA-256 of the body)" : ""
            throw VaultError(
                .invalidSignature,
                "The value passed in as x-amz-content-sha256 does not match the computed payload hash. "
                    + "Computed digest: \(computed) expected hash: \(linearHash)\(hint)")
        }
        if summary.treeHash != treeHash {
            let hint = treeHash == summary.linearHash
                ? " (the expected value is the linear SHA-256 of the body; x-amz-sha256-tree-hash is the tree hash over 1 MiB leaves)" : ""
            throw VaultError(
                .invalidParameter, "Checksum mismatch: expected \(treeHash), computed \(summary.treeHash)\(hint)")
        }
    }
}
