// SPDX-License-Identifier: Apache-2.0

import SQLiteCatalog
import SealedArchive
import Storage
import VaultModel

/// How a catalog and the blobs beside it differ about archives, by the names of blobs alone: one walk over the listing, constant memory.
struct CatalogDifference: Sendable, Hashable {
    /// Archives with a manifest and no deletion record, of which the catalog knows nothing.
    var missing: UInt64 = 0
    /// Archives that the catalog lists and that have a deletion record.
    var deleted: UInt64 = 0
    /// Archives that the catalog lists and that have no manifest: purged since.
    var gone: UInt64 = 0

    var isNone: Bool { missing == 0 && deleted == 0 && gone == 0 }

    /// What the blobs say of one archive; its blobs lie beside each other in a listing.
    private struct Seen {
        let uid: ArchiveUID
        var hasManifest = false
        var hasDeletion = false
    }

    static func measure(_ catalog: SQLiteCatalog, _ blobs: any BlobStore) async throws -> CatalogDifference {
        var difference = CatalogDifference()
        var found: UInt64 = 0
        var seen: Seen?
        func close() async throws {
            guard let archive = seen else { return }
            seen = nil
            guard archive.hasManifest || archive.hasDeletion else { return }
            let row = try await catalog.archive(archive.uid)
            switch (row?.state, archive.hasDeletion) {
            case (.stored, true):
                found += 1
                difference.deleted += 1
            case (.stored, false): found += 1
            case (nil, false): difference.missing += 1
            // A deletion that the catalog does not know forgets nothing; one that only it knows is in the making.
            default: break
            }
        }
        var after: BlobID?
        while true {
            let page = try await blobs.list(prefix: BlobName.vaultsPrefix, after: after, limit: 1000)
            for entry in page {
                let (bytes, isDeletion): ([UInt8], Bool)
                switch BlobName(entry.id.name) {
                case .manifest(_, _, let archive, _): (bytes, isDeletion) = (archive, false)
                case .deletion(_, _, let archive, _): (bytes, isDeletion) = (archive, true)
                default: continue
                }
                guard let uid = ArchiveUID(bytes: bytes) else { continue }
                if seen?.uid != uid {
                    try await close()
                    seen = Seen(uid: uid)
                }
                if isDeletion { seen?.hasDeletion = true } else { seen?.hasManifest = true }
            }
            guard page.count == 1000 else { break }
            after = page.last?.id
        }
        try await close()
        let listed = try await catalog.totals().archives
        difference.gone = UInt64(listed) > found ? UInt64(listed) - found : 0
        return difference
    }
}
