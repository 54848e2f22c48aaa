// SPDX-License-Identifier: Apache-2.0

import Storage
import Synchronization

/// Makes directories on demand and remembers which are there and durable, so that a write into a known one costs no
/// call.
final class KnownDirectories: Sendable {
    /// When so many are remembered, all are forgotten: learning one again costs a few calls.
    static let maxRemembered = 65_536

    private let root: String
    private let known = Mutex(Set<String>())

    init(root: String) { self.root = root }

    /// `directory` is the root or below it. On return it exists and its whole path below the root is durable.
    ///
    /// Level by level from the top: a parent that another caller is making at this moment is only relied on once it is
    /// durable.
    func ensure(_ directory: String, on disk: any Disk) async throws(StorageError) {
        if known.withLock({ $0.contains(directory) }) { return }
        for level in levels(to: directory) where !known.withLock({ $0.contains(level) }) {
            try await disk.createDirectory(level)
            known.withLock { known in
                if known.count >= Self.maxRemembered { known.removeAll(keepingCapacity: true) }
                known.insert(level)
            }
        }
    }

    func forgetAll() { known.withLock { $0.removeAll() } }

    /// The root and every directory from there down to `directory`.
    private func levels(to directory: String) -> [String] {
        var levels = [root]
        var position = directory.utf8.index(directory.startIndex, offsetBy: root.utf8.count)
        while position < directory.endIndex {
            let next = directory.utf8.index(after: position)
            position = directory[next...].utf8.firstIndex(of: UInt8(ascii: "/")) ?? directory.endIndex
            levels.append(String(directory[..<position]))
        }
        return levels
    }
}
