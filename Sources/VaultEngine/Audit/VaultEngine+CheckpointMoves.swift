// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// Moving kept checkpoints to the newest master key, so that an old version can be destroyed and the checkpoints still be read.
///
///     fact checkpoint_move (generation, the new blob) ▶ old blob deleted ▶ new blob put ▶ fact emptied
///
/// The name of a checkpoint is its generation: the new blob takes the old one's. Until it is there the catalog has it.
extension VaultEngine {
    private static let moveFact = "checkpoint_move"

    /// The same statement under the newest master key. Durable on return.
    func moveCheckpoint(_ generation: UInt64) async throws {
        guard checkpoints.history.isConsistent else {
            throw VaultError(.unavailable, "Nothing is moved: \(checkpoints.history.text).")
        }
        try await auditGate.exclusive(.checkpoint) {
            try await finishCheckpointMove()
            let shelf = CheckpointShelf(cold: cold, keyring: keyring)
            let blob = try shelf.sealed(try await shelf.read(generation), random: random)
            let move: JSONValue = ["blob": .string(Base64.encode(blob)), "generation": .integer(Int64(clamping: generation))]
            try await freeingRoom { try await catalog.setFact(Self.moveFact, move.canonicalString(), audit: .none) }
            try await cold.delete(try blobID(BlobName.checkpoint(generation: generation).text))
            try await finishCheckpointMove()
        }
    }

    /// What a crash left between two steps. A blob that was not deleted yet stays as it is.
    func finishCheckpointMove() async throws {
        guard let text = try await catalog.fact(Self.moveFact), let move = try? JSONParser.parse(Array(text.utf8)),
            let generation = move["generation"]?.integerValue, let blob = move["blob"]?.stringValue.flatMap({ Base64.decode($0) })
        else { return }
        let id = try blobID(BlobName.checkpoint(generation: UInt64(clamping: generation)).text)
        try await freeingRoom {
            if try await cold.size(of: id) == nil { try await reserve.putAll([(id, ByteBuffer(bytes: blob))]) }
            try await catalog.setFact(Self.moveFact, "", audit: .none)
        }
    }
}
