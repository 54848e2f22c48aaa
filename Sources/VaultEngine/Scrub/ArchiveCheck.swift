// SPDX-License-Identifier: Apache-2.0

import Execution
import SealedArchive
import Storage
import VaultModel

/// Verifies one archive, every byte on every copy: its manifest against the catalog's row, and each part against the manifest.
struct ArchiveCheck {
    /// A frame, its ciphertext and the opener's scratch.
    static let workingBytes = 4 << 20

    let engine: VaultEngine
    let pace: ScrubPace

    enum Outcome: Equatable {
        case good
        case damaged(String)
        /// It was deleted or sealed anew meanwhile: nothing is known.
        case overtaken
    }

    func check(_ archive: ArchiveRow, in vault: VaultRow, tally: inout ScrubTally) async throws -> Outcome {
        let memory = try await engine.budget.reserve(Self.workingBytes + ArchiveReader.manifestBytes(of: archive, in: engine))
        defer { memory.release() }
        guard let damage = try await damage(of: archive, in: vault, tally: &tally) else { return .good }
        // What was purged or re-wrapped while it was read looks like damage.
        guard let now = try await engine.catalog.archive(archive.uid), now.state == .stored, now.generation == archive.generation else {
            return .overtaken
        }
        return .damaged(damage)
    }

    private func damage(of archive: ArchiveRow, in vault: VaultRow, tally: inout ScrubTally) async throws -> String? {
        let copies = CopyCheck(engine: engine)
        let column: ArchiveColumn
        do {
            column = try engine.keyring.open(archive.sealed, as: ArchiveColumn.self, uid: archive.uid.bytes, of: vault)
        } catch {
            return "the catalog's sealed column: \(CopyCheck.reason(error))"
        }
        let manifestID = try blobID(
            BlobName.manifest(
                account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: archive.uid.bytes,
                generation: archive.generation
            ).text)
        var reader: ArchiveReader?
        let verdict = try await copies.check(manifestID, tally: &tally) { copy in
            let found = try await ArchiveReader.open(archive, in: vault, engine: engine, from: copy)
            let manifest = found.manifest
            guard manifest.archiveID == archive.id, manifest.parts.count == Int(archive.partCount),
                manifest.treeHash == column.treeHash, manifest.description == column.description
            else { throw FormatError.wrongIdentity("the manifest says something else than the catalog") }
            reader = found
        }
        if case .damaged(let reason) = verdict { return "manifest: \(reason)" }
        guard let reader else { return "manifest: no copy" }
        var first: String?
        var count = 0
        for part in reader.manifest.parts.indices {
            let id = try blobID(reader.manifest.parts[part].blob)
            let verdict = try await copies.check(id, tally: &tally) { copy in
                try await reader.verifyPart(part, on: copy, pace: pace)
            }
            tally.bytes += reader.manifest.parts[part].ciphertextBytes
            guard case .damaged(let reason) = verdict else { continue }
            first = first ?? "part \(part): \(reason)"
            count += 1
        }
        return first.map { count > 1 ? "\($0) (and \(count - 1) more parts)" : $0 }
    }
}
