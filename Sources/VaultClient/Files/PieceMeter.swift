// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts the bytes of one piece of a transfer, and takes them back when it has to begin again.
final class PieceMeter: Sendable {
    private let progress: any TransferProgress
    private let counted = Mutex<Int64>(0)

    init(_ progress: any TransferProgress) { self.progress = progress }

    func add(_ bytes: Int64) {
        counted.withLock { $0 += bytes }
        progress.advance(by: bytes)
    }

    func restart() {
        let back = counted.withLock { counted in
            defer { counted = 0 }
            return counted
        }
        if back > 0 { progress.advance(by: -back) }
    }
}
