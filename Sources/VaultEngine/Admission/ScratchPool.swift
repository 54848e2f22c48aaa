// SPDX-License-Identifier: Apache-2.0

import SealedArchive
import Synchronization

/// Hands working memory from part to part: allocating and wiping a megabyte for each small archive would cost more than sealing it.
/// What it lends out is counted in the working bytes of requests; what it keeps is bounded here.
final class ScratchPool: Sendable {
    private static let maxKept = 8
    private let kept = Mutex<[PartScratch]>([])

    func take() -> PartScratch { kept.withLock { $0.popLast() } ?? PartScratch() }

    func give(_ scratch: PartScratch) {
        kept.withLock { if $0.count < Self.maxKept { $0.append(scratch) } }
    }
}
