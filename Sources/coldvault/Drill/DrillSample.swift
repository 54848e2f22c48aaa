// SPDX-License-Identifier: Apache-2.0

import VaultEngine

/// A fair sample of a stream of unknown length, the same for the same seed and stream (reservoir sampling).
struct DrillSample {
    private let capacity: Int
    private var state: UInt64
    private(set) var seen: UInt64 = 0
    private(set) var chosen: [ArchiveReference] = []

    init(capacity: Int, seed: UInt64) {
        self.capacity = capacity
        state = seed
    }

    mutating func offer(_ reference: ArchiveReference) {
        seen += 1
        if chosen.count < capacity {
            chosen.append(reference)
        } else {
            let place = next() % seen
            if place < UInt64(capacity) { chosen[Int(place)] = reference }
        }
    }

    /// SplitMix64.
    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
