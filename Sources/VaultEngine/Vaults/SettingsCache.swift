// SPDX-License-Identifier: Apache-2.0

import AccessPolicy
import Synchronization
import VaultModel

/// A vault's settings with its policies parsed.
struct OpenedSettings: Sendable {
    var settings: VaultSettings
    var accessPolicy: PolicyDocument?
    /// Of the lock as stored: whether it has fallen away is for the clock to say.
    var lockPolicy: PolicyDocument?

    static let none = OpenedSettings(settings: .none)
}

/// Settings opened and parsed once for each generation of a vault, so that requests cost neither a decryption nor a parse.
///
/// Bounded: emptied when it is full, which costs each vault one opening.
final class SettingsCache: Sendable {
    static let capacity = 1024
    private let entries = Mutex<[VaultUID: (generation: UInt64, opened: OpenedSettings)]>([:])

    func settings(of vault: VaultUID, generation: UInt64) -> OpenedSettings? {
        entries.withLock { entries in
            guard let entry = entries[vault], entry.generation == generation else { return nil }
            return entry.opened
        }
    }

    func keep(_ opened: OpenedSettings, of vault: VaultUID, generation: UInt64) {
        entries.withLock { entries in
            // An older one is what a slow reader still held.
            if let known = entries[vault], known.generation > generation { return }
            if entries[vault] == nil, entries.count >= Self.capacity { entries.removeAll(keepingCapacity: true) }
            entries[vault] = (generation, opened)
        }
    }

    var count: Int { entries.withLock { $0.count } }
}
