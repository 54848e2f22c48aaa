// SPDX-License-Identifier: Apache-2.0

import Logging
import SealedArchive
import Storage
import VaultModel

/// Records that take something away (Docs/Formats/Record-v1.md §2): named in the catalog before they are written, so that one whose commit
/// never came does not outlive the next start, and no later rebuild takes away what clients have gone on to see.
extension VaultEngine {
    /// Has `write` store the record under a generation that was announced: `generation`, or above all that are taken. Nil when the subject
    /// is settled already.
    func announced(
        _ subject: AnnouncedRecord.Subject, from generation: UInt64, name: @Sendable (UInt64) -> BlobName,
        write: (UInt64) async throws -> WrittenRecord?
    ) async throws -> WrittenRecord? {
        var generation = generation
        for _ in 0..<Self.maxRounds {
            let id = try blobID(name(generation).text)
            switch try await catalog.announce(AnnouncedRecord(blob: id.name, subject: subject)) {
            case .settled: return nil
            case .nameTaken: break
            case .announced:
                do {
                    // Taken: by somebody who announced the same name, whose announcement it is now.
                    if let written = try await write(generation) { return written }
                } catch {
                    try await doomUnlessUnknown([id], after: error)
                    throw error
                }
            }
            generation = (try await recordNames(above: generation, name).last?.generation ?? generation) + 1
        }
        throw VaultError(.unavailable, "Others are changing the same thing. Please try again.")
    }

    /// At start, before anything is announced: removes records that were announced and never committed. Not while catalog and blobs are of
    /// different histories: then an announcement may be older than the commit that took it back.
    func settleAnnouncedRecords() async throws {
        guard checkpoints.history.isConsistent else { return }
        while true {
            let left = try await catalog.announcedRecords(limit: Self.settledAtOnce)
            for record in left { try await cold.delete(try blobID(record.id)) }
            try await catalog.forgetDoomed(left)
            if !left.isEmpty {
                logger.notice("records of changes that a crash cut off were removed", metadata: ["count": "\(left.count)"])
            }
            guard left.count == Self.settledAtOnce else { return }
        }
    }

    private static let settledAtOnce = 200
}
