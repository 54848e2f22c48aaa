// SPDX-License-Identifier: Apache-2.0

import SealedArchive
import Storage
import VaultEngine
import VaultModel

/// What the names of blobs say of one archive.
struct ArchiveNames: Sendable, Hashable {
    /// A file store reads a directory once for every page that begins in it, so pages are large.
    private static let pageSize = 16_384

    let account: AccountID
    let vault: VaultUID
    let uid: ArchiveUID
    /// Of the newest manifest; nil without one.
    var generation: UInt64?
    var hasDeletion = false

    /// The archive, if it is there and not deleted.
    var reference: ArchiveReference? {
        guard let generation, !hasDeletion else { return nil }
        return ArchiveReference(account: account, vault: vault, archive: uid, generation: generation)
    }

    /// Every archive that has a manifest or a deletion record, in order of names; blobs of one archive lie beside each other in a listing.
    static func walk(
        _ blobs: any BlobStore, prefix: String = BlobName.vaultsPrefix, _ visit: (ArchiveNames) async throws -> Void
    ) async throws {
        var seen: ArchiveNames?
        var after: BlobID?
        while true {
            let page = try await blobs.list(prefix: prefix, after: after, limit: pageSize)
            for entry in page {
                let (digits, vault, archive, generation): (String, [UInt8], [UInt8], UInt64?)
                switch BlobName(entry.id.name) {
                case .manifest(let account, let uid, let bytes, let number): (digits, vault, archive, generation) = (account, uid, bytes, number)
                case .deletion(let account, let uid, let bytes, _): (digits, vault, archive, generation) = (account, uid, bytes, nil)
                default: continue
                }
                guard let account = AccountID(digits), let vaultUID = VaultUID(bytes: vault), let uid = ArchiveUID(bytes: archive) else { continue }
                if seen?.uid != uid || seen?.vault != vaultUID {
                    if let seen { try await visit(seen) }
                    seen = ArchiveNames(account: account, vault: vaultUID, uid: uid)
                }
                let newest = max(seen?.generation ?? 0, generation ?? 0)
                if generation == nil { seen?.hasDeletion = true } else { seen?.generation = newest }
            }
            guard page.count == pageSize else { break }
            after = page.last?.id
        }
        if let seen { try await visit(seen) }
    }
}
