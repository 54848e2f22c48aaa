// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Execution
public import NIOCore
import SealedArchive
import Storage
public import VaultModel

extension VaultEngine {
    /// Stores an archive sent in one request. Everything that can be judged is judged before the body is read; on any error nothing is
    /// stored. Durable on return.
    public func uploadArchive<Body: AsyncSequence & Sendable>(
        _ request: UploadArchiveRequest, body: Body
    ) async throws(VaultError) -> StoredArchive where Body.Element == ByteBuffer {
        guard (1...Limits.maxPartBytes).contains(request.contentLength) else {
            throw VaultError(.invalidParameter, "Invalid Content-Length: \(request.contentLength)")
        }
        return try await vaultErrors("storing an archive") {
            let vault = try await activeVault(request.location)
            let memory = try await requestMemory(
                PartIntake.workingBytes(partBytes: request.contentLength), for: request.location.account)
            defer { memory.release() }
            let birth = try ArchiveBirth(in: vault, keyring: keyring, random: random)
            let intake = PartIntake(
                engine: self, vault: vault, archive: birth.uid, dataKey: birth.dataKey, index: 0, number: 1,
                length: request.contentLength)
            let draft = try await intake.receive(body)
            do {
                try draft.check(treeHash: request.treeHash, linearHash: request.linearHash)
            } catch {
                await draft.abandon()
                throw error
            }
            let part = ManifestPart(blob: draft.blob.name, index: 0, number: 1, summary: draft.summary)
            return try await commitArchive(
                birth, vault: vault, parts: [part], treeHash: draft.summary.treeHash, description: request.description,
                upload: nil, draft: draft, by: request.caller)
        }
    }

    private static let inlineParts = 16

    private func seal(_ manifest: Manifest, of birth: ArchiveBirth) throws -> [UInt8] {
        try SealedBlob.seal(
            plaintext: manifest.encode(),
            preamble: BlobPreamble(kind: .manifest, uid: birth.uid.bytes, index: birth.keyVersion, number: manifest.generation),
            account: manifest.account, vaultUID: manifest.vaultUID, key: birth.vaultKey, random: random)
    }

    /// A few parts are sealed sooner than a thread of the pool wakes up; ten thousand would hold up every connection of this loop.
    private func sealed(_ manifest: Manifest, of birth: ArchiveBirth) async throws -> [UInt8] {
        try manifest.parts.count <= Self.inlineParts
            ? seal(manifest, of: birth) : await compute.run { [self] in try seal(manifest, of: birth) }
    }

    /// Completions of one upload that begin in the same millisecond want the same name.
    private static let manifestNames: UInt64 = 64

    /// The manifest of a completion, durable under the first free name.
    private func putManifest(
        _ manifest: Manifest, of birth: ArchiveBirth, in vault: VaultRow
    ) async throws -> (id: BlobID, generation: UInt64) {
        var manifest = manifest
        for generation in manifest.generation..<manifest.generation + Self.manifestNames {
            manifest.generation = generation
            let id = try blobID(birth.manifestName(vault: vault, generation: generation))
            let sealed = try await sealed(manifest, of: birth)
            do throws(StorageError) {
                try await cold.putAll([(id, ByteBuffer(bytes: sealed))])
            } catch {
                if error.code == .alreadyExists { continue }
                throw error
            }
            // The name of a completion that lost and is to be removed once more: what stands there now goes with it. Asked after the write,
            // because before it the other may not have lost yet.
            if try await catalog.isDoomed(id.name, in: .cold) { continue }
            return (id, generation)
        }
        throw VaultError(.unavailable, "Others are completing the same upload. Please try again.")
    }

    /// Manifest, then catalog. `draft` is the part that is not yet visible, if any.
    func commitArchive(
        _ birth: ArchiveBirth, vault: VaultRow, parts: [ManifestPart], treeHash: SHA256Digest, description: String,
        upload: (uid: UploadUID, revision: UInt64)?, draft: PartDraft?, by caller: Caller?
    ) async throws -> StoredArchive {
        let created = try await clockKeeper.stamp()
        let size = parts.reduce(UInt64(0)) { $0 + $1.length }
        // A name once doomed is never used again, so that no late deletion can hit a new manifest: generations start at the clock.
        let generation = UInt64(max(1, created.milliseconds))
        let manifest = birth.manifest(
            vault: vault, generation: generation, created: created, description: description, size: size, treeHash: treeHash, parts: parts)
        let first = ArchiveRow(
            uid: birth.uid, id: birth.id, vault: vault.uid, state: .stored, created: created, size: size,
            partCount: UInt32(parts.count), generation: generation, keyVersion: birth.keyVersion,
            sealed: try keyring.seal(
                ArchiveColumn(description: description, treeHash: treeHash), uid: birth.uid.bytes, version: birth.keyVersion,
                key: birth.vaultKey, random: random))
        let audit = try audit(
            .vault(
                vault.location, .archive, upload == nil ? "glacier:UploadArchive" : "glacier:CompleteMultipartUpload",
                by: AuditActor(caller),
                [
                    "archiveId": .string(birth.id), "size": .integer(Int64(clamping: size)),
                    "keyVersion": .integer(Int64(birth.keyVersion)),
                ]))
        // From here to the answer the work outlives a client that goes away: what is begun is either whole or doomed.
        return try await withCompletionGuaranteed { [self] in
            var row = first
            let manifestID: BlobID
            if let draft {
                manifestID = try blobID(birth.manifestName(vault: vault, generation: generation))
                do {
                    let sealed = try await sealed(manifest, of: birth)
                    try await draft.commit(with: [(manifestID, ByteBuffer(bytes: sealed))], in: cold)
                } catch {
                    await draft.abandon()
                    // Either may have become visible before the failure.
                    try await doomUnlessUnknown([draft.blob, manifestID], after: error)
                    throw error
                }
            } else {
                (manifestID, row.generation) = try await putManifest(manifest, of: birth, in: vault)
            }
            let own = draft.map { [$0.blob, manifestID] } ?? [manifestID]
            let outcome: ArchiveCommit
            do {
                outcome = try await catalog.commitArchive(row, from: upload, audit: audit)
            } catch {
                try await doomUnlessUnknown(own, after: error)
                throw error
            }
            switch outcome {
            case .stored:
                return StoredArchive(archiveID: birth.id, treeHash: treeHash)
            case .vaultGone:
                try await doom(own, of: .cold)
                throw Messages.vaultNotFound(vault.location)
            case .uploadClosed:
                try await doom(own, of: .cold)
                throw VaultError(.notFound, "The upload ID was not found: it was completed or aborted meanwhile.")
            case .uploadChanged:
                try await doom(own, of: .cold)
                throw VaultError(.invalidParameter, "A part arrived while the upload was being completed. Complete it again.")
            }
        }
    }
}
