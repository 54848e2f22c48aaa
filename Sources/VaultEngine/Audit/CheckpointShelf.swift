// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// The checkpoints among the blobs (Docs/Formats/Checkpoint-v1.md §2): sealed under the master key, so that a rotation moves them.
struct CheckpointShelf: Sendable {
    private static let maxBlobBytes = 64 << 10

    let cold: any BlobStore
    let keyring: Keyring

    func sealed(_ checkpoint: Checkpoint, random: any RandomByteSource) throws -> [UInt8] {
        let master = keyring.currentMaster
        return try SealedBlob.seal(
            plaintext: checkpoint.statement,
            preamble: BlobPreamble(
                kind: .record, uid: BlobContext.noVault, index: master.version, number: checkpoint.generation),
            account: AuditSegment.noAccount, vaultUID: BlobContext.noVault, key: master.key, random: random)
    }

    func read(_ generation: UInt64) async throws -> Checkpoint {
        let damaged = VaultError(.integrity, "Checkpoint \(generation) does not verify: it was changed or is another one.")
        let id = try blobID(BlobName.checkpoint(generation: generation).text)
        guard let size = try await cold.size(of: id), size <= UInt64(Self.maxBlobBytes) else { throw damaged }
        let blob = Array(try await cold.read(id, range: 0..<size).readableBytesView)
        do {
            let preamble = try BlobPreamble(parsing: blob)
            let plaintext = try SealedBlob.open(
                blob, expecting: BlobExpectation(.record, uid: BlobContext.noVault, number: generation),
                account: AuditSegment.noAccount, vaultUID: BlobContext.noVault, key: try keyring.master(preamble.index)
            ).plaintext
            let statement = try SignedStatement(decoding: plaintext)
            guard keyring.signingPublicKeys.contains(statement.service), let checkpoint = Checkpoint(statement),
                checkpoint.generation == generation
            else { throw damaged }
            return checkpoint
        } catch is FormatError {
            throw damaged
        }
    }
}
