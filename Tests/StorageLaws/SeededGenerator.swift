// SPDX-License-Identifier: Apache-2.0

/// SplitMix64: repeatable choices for tests out of one printed seed. Never in production.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// `count` repeatable bytes.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 24) }
    }
}

/// A seed for a run of a randomised test: fixed, so that a failure repeats; change `base` to explore.
public enum Seeds {
    public static func first(_ count: Int, base: UInt64 = 0x0C01_D7A0) -> [UInt64] {
        (0..<UInt64(count)).map { base &+ $0 }
    }
}
