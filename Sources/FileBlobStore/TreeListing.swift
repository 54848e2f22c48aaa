// SPDX-License-Identifier: Apache-2.0

import Storage

/// One page of a listing: a walk through the directories in byte order of the blob ids, which begins at the page and
/// ends with it.
///
/// A directory sorts as its name with the slash (`a.b` < `a/b` < `a0`). Sub-trees that hold nothing of the page are not
/// entered; a directory that is entered is read whole, so the memory is bounded by the largest directory and the depth.
struct TreeListing {
    let disk: any Disk
    let root: String
    let prefix: String
    let after: BlobID?
    let limit: Int

    func page() async throws(StorageError) -> [BlobListing] {
        guard limit > 0, let start = startDirectory else { return [] }
        var found: [BlobListing] = []
        // What is still to visit, the next one last.
        var pending: [Step] = [.enter(start)]
        while let step = pending.popLast() {
            switch step {
            case .blob(let listing):
                found.append(listing)
                if found.count == limit { return found }
            case .enter(let directory):
                let path = directory.isEmpty ? root : "\(root)/\(directory.dropLast())"
                let steps = try await disk.entries(of: path).compactMap { self.step(for: $0, in: directory) }
                pending.append(contentsOf: steps.sorted { $1.sortKey.utf8.lexicographicallyPrecedes($0.sortKey.utf8) })
            }
        }
        return found
    }

    private enum Step {
        case blob(BlobListing)
        /// The blob id prefix that is the directory: empty or ending with a slash.
        case enter(String)

        var sortKey: String {
            switch self {
            case .blob(let listing): listing.id.name
            case .enter(let directory): directory
            }
        }
    }

    /// The deepest directory that holds everything with the prefix; nil when no blob id can begin so.
    private var startDirectory: String? {
        guard let slash = prefix.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
        let directory = prefix[..<slash]
        // Nothing but the directory part of a blob id: a prefix must not lead out of the root.
        guard BlobID(String(directory)) != nil else { return nil }
        return "\(directory)/"
    }

    private func step(for entry: DiskEntry, in directory: String) -> Step? {
        guard let id = BlobID(directory + entry.name) else { return nil }
        if entry.isDirectory {
            let inside = "\(id.name)/"
            guard inside.hasBytePrefix(prefix) || prefix.hasBytePrefix(inside) else { return nil }
            // Everything inside comes before `after` when the directory does, unless `after` lies in it.
            if let after, inside.utf8.lexicographicallyPrecedes(after.name.utf8), !after.name.hasBytePrefix(inside) {
                return nil
            }
            return .enter(inside)
        }
        guard id.name.hasBytePrefix(prefix) else { return nil }
        if let after, id <= after { return nil }
        return .blob(BlobListing(id: id, bytes: entry.bytes))
    }
}

extension String {
    fileprivate func hasBytePrefix(_ prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }
}
