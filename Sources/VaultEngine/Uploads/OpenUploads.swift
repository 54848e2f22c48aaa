// SPDX-License-Identifier: Apache-2.0

import SealedArchive
import Storage
import Synchronization
import VaultModel

/// Uploads of which this process knows that they have not become archives, so that each is looked up in the store once.
///
/// Bounded: emptied when it is full, which costs each upload one listing.
final class OpenUploads: Sendable {
    private static let capacity = 10_000
    private let uids = Mutex<Set<UploadUID>>([])

    func contains(_ uid: UploadUID) -> Bool { uids.withLock { $0.contains(uid) } }

    func insert(_ uid: UploadUID) {
        uids.withLock { uids in
            if uids.count >= Self.capacity { uids.removeAll(keepingCapacity: true) }
            uids.insert(uid)
        }
    }
}

extension VaultEngine {
    /// Whether the store holds a manifest or a deletion record of the archive that the open upload would become: an older catalog, restored,
    /// takes a completed upload for an open one, and its parts are the archive's.
    func isCompletedElsewhere(_ upload: UploadRow, in vault: VaultRow) async throws -> Bool {
        let prefix = BlobName.archivePrefix(
            account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: upload.archive.bytes)
        // Both stand before the parts.
        switch try await cold.list(prefix: prefix, after: nil, limit: 1).first.flatMap({ BlobName($0.id.name) }) {
        case .manifest, .deletion: return true
        default: return false
        }
    }

    /// Throws as for an upload that is closed, when another catalog closed it.
    func checkOpen(_ upload: UploadRow, in vault: VaultRow) async throws {
        guard !openUploads.contains(upload.uid) else { return }
        guard try await !isCompletedElsewhere(upload, in: vault) else { throw Messages.uploadNotFound(upload.id) }
        openUploads.insert(upload.uid)
    }

    /// The same, but the very archive may be completed again: then the catalog learns of it.
    func checkOpen(_ upload: UploadRow, in vault: VaultRow, orCompletedWith parts: [ManifestPart]) async throws {
        guard !openUploads.contains(upload.uid), try await isCompletedElsewhere(upload, in: vault) else { return }
        let account = vault.location.account.digits
        let prefix = BlobName.archivePrefix(account: account, vaultUID: vault.uid.bytes, archiveUID: upload.archive.bytes)
        let first = try await cold.list(prefix: prefix, after: nil, limit: 1).first
        let names = try await cold.list(prefix: prefix + "manifest-", after: nil, limit: 1000)
        guard case .manifest = first.flatMap({ BlobName($0.id.name) }),
            case .manifest(_, _, _, let generation) = names.last.flatMap({ BlobName($0.id.name) })
        else { throw Messages.uploadNotFound(upload.id) }
        let archive = ArchiveRow(
            uid: upload.archive, id: upload.archiveID, vault: vault.uid, state: .stored, created: upload.created,
            size: parts.reduce(UInt64(0)) { $0 + $1.length }, partCount: UInt32(parts.count), generation: generation,
            keyVersion: upload.keyVersion, sealed: upload.sealed)
        do {
            let reader = try await ArchiveReader.open(archive, in: vault, engine: self)
            guard reader.manifest.parts == parts else { throw Messages.uploadNotFound(upload.id) }
        } catch is FormatError {
            throw Messages.uploadNotFound(upload.id)
        }
    }
}
