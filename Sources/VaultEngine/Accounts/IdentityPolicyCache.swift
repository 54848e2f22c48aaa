// SPDX-License-Identifier: Apache-2.0

import AccessPolicy
import Synchronization
import VaultModel

/// Parsed identity policies of principals. An entry is valid for one generation of the account only, so that
/// nothing has to be invalidated: after a change the old entry is not found.
final class IdentityPolicyCache: Sendable {
    /// Emptied when it is full, which costs one parse each.
    static let maxEntries = 4096

    private struct Entry {
        let generation: UInt64
        let policies: [(name: String, document: PolicyDocument)]
    }
    private let entries = Mutex<[Principal: Entry]>([:])

    var count: Int { entries.withLock { $0.count } }

    func policies(of principal: Principal, generation: UInt64) -> [(name: String, document: PolicyDocument)]? {
        entries.withLock { entries in
            guard let entry = entries[principal], entry.generation == generation else { return nil }
            return entry.policies
        }
    }

    func remember(_ policies: [(name: String, document: PolicyDocument)], of principal: Principal, generation: UInt64) {
        entries.withLock { entries in
            // A slow reader must not put back what a faster one has replaced.
            if let entry = entries[principal], entry.generation > generation { return }
            if entries.count >= Self.maxEntries, entries[principal] == nil { entries.removeAll() }
            entries[principal] = Entry(generation: generation, policies: policies)
        }
    }
}
