// SPDX-License-Identifier: Apache-2.0

import Storage

/// Walks the blobs of a prefix in order, a page at a time.
struct BlobCursor {
    /// A page takes about 3 MiB; a file store reads each directory once for every page that begins in it.
    static let pageSize = 16_384

    private let store: any BlobStore
    private let prefix: String
    private var page: [BlobListing] = []
    private var position = 0
    private var isLast = false

    init(store: any BlobStore, prefix: String) {
        self.store = store
        self.prefix = prefix
    }

    /// The next blob, without moving on.
    mutating func peek() async throws -> BlobListing? {
        if position == page.count, !isLast {
            page = try await store.list(prefix: prefix, after: page.last?.id, limit: Self.pageSize)
            position = 0
            isLast = page.count < Self.pageSize
        }
        return position < page.count ? page[position] : nil
    }

    mutating func next() async throws -> BlobListing? {
        guard let entry = try await peek() else { return nil }
        position += 1
        return entry
    }
}
