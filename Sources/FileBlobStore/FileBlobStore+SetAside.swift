// SPDX-License-Identifier: Apache-2.0

public import Storage

extension FileBlobStore {
    /// One blob can be set aside so often; more means that something damages it again and again.
    static let maxSetAside = 1000

    /// Renames the file to `<root>/.quarantine/<blob id>.<n>`, n counting from 1. Its bytes are not read: a file with bad sectors can be moved.
    public func setAside(_ id: BlobID) async throws(StorageError) -> Bool {
        let from = path(of: id)
        guard try await disk.size(of: from) != nil else { return false }
        let directory = directory(of: id)
        let quarantine = "\(root)/\(Self.quarantineDirectory)" + directory.dropFirst(root.count)
        try await directories.ensure(quarantine, on: disk)
        let leaf = from.dropFirst(directory.count + 1)
        for number in 1...Self.maxSetAside {
            do throws(StorageError) {
                try await disk.link(from, to: "\(quarantine)/\(leaf).\(number)")
            } catch {
                if error.code == .alreadyExists { continue }
                throw error
            }
            // The new name first: after a power cut the bytes must have one of the two, or both.
            try await makeNamesDurable(in: quarantine)
            try await disk.remove(from)
            try await makeNamesDurable(in: directory)
            return true
        }
        throw StorageError(
            .unusable, "\(id) was set aside \(Self.maxSetAside) times; look for what damages it and empty \(quarantine)")
    }
}
