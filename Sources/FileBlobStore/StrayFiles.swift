// SPDX-License-Identifier: Apache-2.0

public import Storage

/// Walks the files under a store's root whose path is no blob id: nobody can read them through the store, and a listing passes them over.
/// Each directory is read once; memory is bounded by the largest directory and the depth.
public actor StrayFiles {
    private let disk: any Disk
    private let root: String
    /// Directories still to read, relative to the root; the last one next.
    private var pending: [String] = [""]
    private var found: [String] = []

    init(disk: any Disk, root: String) {
        self.disk = disk
        self.root = root
    }

    /// The next such file, relative to the root; nil at the end.
    public func next() async throws(StorageError) -> String? {
        while found.isEmpty {
            guard let directory = pending.popLast() else { return nil }
            let entries = try await disk.entries(of: directory.isEmpty ? root : "\(root)/\(directory)")
            for entry in entries.reversed() {
                let path = directory.isEmpty ? entry.name : "\(directory)/\(entry.name)"
                if entry.isDirectory {
                    // Hidden directories of the root are the store's own.
                    if !(directory.isEmpty && entry.name.hasPrefix(".")) { pending.append(path) }
                } else if BlobID(path) == nil {
                    found.append(path)
                }
            }
        }
        return found.popLast()
    }
}

extension FileBlobStore {
    /// What lies under the root and is no blob.
    public func strayFiles() -> StrayFiles { StrayFiles(disk: disk, root: root) }
}
