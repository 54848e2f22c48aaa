// SPDX-License-Identifier: Apache-2.0

import Synchronization
import VaultModel

/// Bounds the memory of all request bodies that are read whole before they are believed.
///
/// Such a body may come from anybody who knows an access key's id, at any speed; without a bound, many slow ones
/// together would be most of the process. Whoever finds no room gets 503 at once.
final class BodyAllowance: Sendable {
    private let capacityBytes: Int
    private let used = Mutex(0)

    init(capacityBytes: Int = 16 << 20) { self.capacityBytes = capacityBytes }

    /// The whole body of a request that is not an upload.
    /// - Throws: `VaultError`: `.serialization` when it is too large, `.unavailable` when others use up the allowance.
    func collect(_ body: RequestBody) async throws -> [UInt8] {
        guard body.isPresent else { return [] }
        let limit = Limits.maxJSONBodyBytes
        let share = body.isChunked ? limit : Int(clamping: min(body.declaredBytes ?? 0, UInt64(limit)))
        try take(share)
        defer { give(share) }
        return try await body.collect(upTo: limit)
    }

    func take(_ bytes: Int) throws(VaultError) {
        let isTaken = used.withLock { used in
            guard used + bytes <= capacityBytes else { return false }
            used += bytes
            return true
        }
        guard isTaken else {
            throw VaultError(.unavailable, "Too many requests with bodies at once. Please try again.")
        }
    }

    func give(_ bytes: Int) { used.withLock { $0 -= bytes } }
}
