// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// Writes one staged object: the part body format under a random key of its own, in the warm store. Used by one task.
final class StagedWriter {
    private let engine: VaultEngine
    private let vault: VaultRow
    private let uid: StagedUID
    private let blob: BlobID
    private let key: SecretKey
    private let step: SealStep
    /// Nil once it was given back: two users at once would corrupt each other's bytes.
    private var scratch: PartScratch?
    private var frame = ByteBuffer()
    /// Bytes appended so far.
    private(set) var contentBytes: UInt64 = 0

    /// `maxBytes` bounds the content; the exact length need not be known.
    static func begin(vault: VaultRow, engine: VaultEngine, maxBytes: UInt64) async throws -> StagedWriter {
        let uid = StagedUID(random: engine.random)
        let key = SecretKey(random: engine.random)
        let scratch = engine.scratch.take()
        do {
            let sealer = try PartSealer(
                stagedUID: uid.bytes, account: vault.location.account.digits, vaultUID: vault.uid.bytes, key: key,
                compress: true, maxBytes: maxBytes, random: engine.random, scratch: scratch)
            let blob = try blobID(BlobName.staged(uid: uid.bytes).text)
            let writer = try await engine.warm.beginWrite(blob, expectedBytes: 0)
            return StagedWriter(
                engine: engine, vault: vault, uid: uid, blob: blob, key: key,
                step: SealStep(sealer: sealer, compute: engine.compute, target: .store(writer)), scratch: scratch)
        } catch {
            engine.scratch.give(scratch)
            throw error
        }
    }

    private init(
        engine: VaultEngine, vault: VaultRow, uid: StagedUID, blob: BlobID, key: SecretKey, step: SealStep, scratch: PartScratch
    ) {
        self.engine = engine
        self.vault = vault
        self.uid = uid
        self.blob = blob
        self.key = key
        self.step = step
        self.scratch = scratch
    }

    /// Bytes of any length, in order.
    func append(_ bytes: ByteBuffer) async throws {
        var bytes = bytes
        contentBytes += UInt64(bytes.readableBytes)
        while bytes.readableBytes > 0 {
            if frame.readableBytes == 0, bytes.readableBytes == Limits.leafBytes {
                _ = try await step.consume(bytes)
                return
            }
            let wanted = min(Limits.leafBytes - frame.readableBytes, bytes.readableBytes)
            if let slice = bytes.readSlice(length: wanted) { frame.writeImmutableBuffer(slice) }
            if frame.readableBytes == Limits.leafBytes {
                let full = frame
                frame = ByteBuffer()
                frame = try await step.consume(full)
                frame.clear()
            }
        }
    }

    /// `count` bytes of whole frames that `transfer` seals as they are stored elsewhere.
    func take(_ count: UInt64, _ transfer: (SealStep) async throws -> Void) async throws {
        precondition(frame.readableBytes == 0, "frames are taken over between frames")
        contentBytes += count
        try await transfer(step)
    }

    /// Seals the rest; durable on return. The row is inserted with the job that is done by it.
    func commit(archive: ArchiveUID?, range: ByteRange?) async throws -> StagedRow {
        if frame.readableBytes > 0 { _ = try await step.consume(frame) }
        let summary = try await step.finish()
        guard case .store(let writer) = step.target else { throw CancellationError() }
        try await writer.commit()
        giveBackScratch()
        let (version, vaultKey) = try engine.keyring.currentKey(of: vault)
        let wrapped = try KeyWrap.wrap(
            key, under: vaultKey,
            context: WrapContext.jobKey(account: vault.location.account.digits, vaultUID: vault.uid.bytes, stagedUID: uid.bytes),
            random: engine.random)
        let column = StagedColumn(wrappedKey: wrapped, sealHeader: summary.sealHeader, length: summary.length)
        return StagedRow(
            uid: uid, vault: vault.uid, blob: blob.name, blobBytes: summary.sealedBytes, archive: archive, range: range,
            created: engine.clock.now(),
            sealed: try engine.keyring.seal(column, uid: uid.bytes, version: version, key: vaultKey, random: engine.random))
    }

    func abandon() async {
        await step.target.abandon()
        giveBackScratch()
    }

    private func giveBackScratch() {
        if let scratch { engine.scratch.give(scratch) }
        scratch = nil
    }
}
