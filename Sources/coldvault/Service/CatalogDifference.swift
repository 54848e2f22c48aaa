// SPDX-License-Identifier: Apache-2.0

import SQLiteCatalog
import Storage
import VaultEngine
import VaultModel

/// How a catalog and the blobs beside it differ about archives, by the names of blobs alone: one walk over the listing, constant memory.
struct CatalogDifference: Sendable, Hashable {
    /// Archives with a manifest and no deletion record, of which the catalog knows nothing.
    var missing: UInt64 = 0
    /// Archives that the catalog lists and that have a deletion record.
    var deleted: UInt64 = 0
    /// Archives that the catalog lists and that have neither a manifest nor a deletion record.
    var gone: UInt64 = 0

    var isNone: Bool { missing == 0 && deleted == 0 && gone == 0 }

    /// - Parameter onMissing: gets every archive that counts as missing.
    static func measure(
        _ catalog: SQLiteCatalog, _ blobs: any BlobStore, onMissing: (ArchiveReference) -> Void = { _ in }
    ) async throws -> CatalogDifference {
        var difference = CatalogDifference()
        var found: UInt64 = 0
        try await ArchiveNames.walk(blobs) { archive in
            let row = try await catalog.archive(archive.uid)
            switch (row?.state, archive.hasDeletion) {
            case (.stored, true):
                found += 1
                difference.deleted += 1
            case (.stored, false): found += 1
            case (nil, false):
                difference.missing += 1
                if let reference = archive.reference { onMissing(reference) }
            // A deletion that the catalog does not know forgets nothing; one that only it knows is in the making.
            default: break
            }
        }
        let listed = try await catalog.totals().archives
        difference.gone = UInt64(listed) > found ? UInt64(listed) - found : 0
        return difference
    }
}
