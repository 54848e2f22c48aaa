// SPDX-License-Identifier: Apache-2.0

import Cryptography
import StorageLaws

/// Keys, salts and identifiers out of the seed. For simulations only; `@unchecked Sendable` because it is used on the simulator's thread
/// alone.
final class SimulatedRandom: RandomByteSource, @unchecked Sendable {
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        for index in buffer.indices { buffer[index] = UInt8(truncatingIfNeeded: generator.next() >> 24) }
    }
}
