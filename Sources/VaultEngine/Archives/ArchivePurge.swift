// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// The end of a deleted archive: its bytes, every manifest with its wrapped data key, and the records of the upload that it came from, which
/// hold that key as well. The deletion record stays, so that a rebuild from an old copy of the blobs still knows.
struct ArchivePurge: Sendable {
    /// A blob that is gone.
    struct Blob: Sendable {
        let id: BlobID
        let bytes: UInt64
        let kind: String
        /// Of manifests and records.
        let sha256: SHA256Digest?
        let keyVersion: UInt32?
    }

    /// A receipt names so many blobs; further ones are counted.
    static let maxNoted = 12_000

    let engine: VaultEngine

    /// Everything goes, the row is the caller's. Repeatable: a crash in between leaves the rest to the next time.
    func purge(_ archive: ArchiveRow, in vault: VaultRow) async throws {
        try await forEach(of: archive, in: vault) { blob, _ in try await engine.cold.delete(blob.id) }
    }

    /// The row, after its blobs. A re-wrap that was under way may have written another manifest after they went: then it goes, too. Repeatable.
    func forget(_ archive: ArchiveRow, in vault: VaultRow, audit: AuditEntries) async throws {
        var archive = archive
        for _ in 0..<Self.maxRewraps {
            do throws(StorageError) {
                return try await engine.catalog.removeArchive(
                    archive.uid, expectedGeneration: archive.generation, audit: audit)
            } catch {
                guard error.code == .conflict, let newer = try await engine.catalog.archive(archive.uid),
                    newer.state == .deleted
                else { throw error }
                archive = newer
                try await purge(archive, in: vault)
            }
        }
        throw VaultError(.unavailable, "The archive is being re-wrapped again and again. Please try again.")
    }

    private static let maxRewraps = 8

    /// What ``purge(_:in:)`` would remove, for a receipt: manifests and records are read.
    func list(_ archive: ArchiveRow, in vault: VaultRow) async throws -> [Blob] {
        var found: [Blob] = []
        try await forEach(of: archive, in: vault) { blob, kind in
            if found.count < Self.maxNoted { found.append(try await note(blob, kind)) }
        }
        return found
    }

    private func forEach(
        of archive: ArchiveRow, in vault: VaultRow, _ body: (BlobListing, String) async throws -> Void
    ) async throws {
        let (account, vaultUID) = (vault.location.account.digits, vault.uid.bytes)
        let prefixes = [
            BlobName.archivePrefix(account: account, vaultUID: vaultUID, archiveUID: archive.uid.bytes),
            BlobName.uploadPrefix(account: account, vaultUID: vaultUID, archiveUID: archive.uid.bytes),
        ]
        for prefix in prefixes {
            var after: BlobID?
            while true {
                let page = try await engine.cold.list(prefix: prefix, after: after, limit: 1000)
                for blob in page {
                    if let kind = Self.kind(of: blob.id) { try await body(blob, kind) }
                }
                guard page.count == 1000 else { break }
                after = page.last?.id
            }
        }
    }

    /// What goes; nil stays.
    private static func kind(of id: BlobID) -> String? {
        switch BlobName(id.name) {
        case .part: "part"
        case .manifest: "manifest"
        case .upload: "upload"
        default: nil
        }
    }

    private func note(_ blob: BlobListing, _ kind: String) async throws -> Blob {
        guard kind != "part" else { return Blob(id: blob.id, bytes: blob.bytes, kind: kind, sha256: nil, keyVersion: nil) }
        var hasher = SHA256Hasher()
        var version: UInt32?
        var position: UInt64 = 0
        while position < blob.bytes {
            let end = min(blob.bytes, position + UInt64(engine.cold.maxReadBytes))
            let bytes = Array(try await engine.cold.read(blob.id, range: position..<end).readableBytesView)
            if position == 0 { version = (try? BlobPreamble(parsing: bytes))?.index }
            hasher.update(bytes)
            position = end
        }
        return Blob(id: blob.id, bytes: blob.bytes, kind: kind, sha256: hasher.finalize(), keyVersion: version)
    }
}
