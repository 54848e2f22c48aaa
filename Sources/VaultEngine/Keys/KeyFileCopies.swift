// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

/// The copies of `keys/` on mirrors, kept in step with a rotation on the first copy. Docs/Formats/Keyring-v1.md §6.
///
/// The first copy is rotated from beginning to end, then the others are made equal to it: at every moment each copy by itself opens as a whole
/// with one root key, and a rotation that is run again finishes what an interruption left.
struct KeyFileCopies {
    let first: any KeyFileStore
    let others: [any KeyFileStore]

    /// Files that a mirror has and the first copy lacks: lost on the first disk, or to be removed by a rotation that was interrupted.
    func missing() async throws -> [(name: String, bytes: [UInt8])] {
        var names = Set(try await first.list())
        var found: [(name: String, bytes: [UInt8])] = []
        for store in others {
            for name in try await store.list() where names.insert(name).inserted {
                found.append((name, try await store.read(name)))
            }
        }
        return found
    }

    /// Gives the first copy what it lacks, so that the rotation sees everything there is. The caller has seen that all of it opens.
    func completeFirst() async throws {
        for file in try await missing() { try await first.replace(file.name, with: file.bytes) }
    }

    /// Makes the others equal to the first copy; durable on return, and read back.
    func follow() async throws {
        let names = try await first.list()
        for store in others {
            for name in names {
                let bytes = try await first.read(name)
                try await store.replace(name, with: bytes)
                guard try await store.read(name) == bytes else {
                    throw VaultError(
                        .integrity, "keys/\(name) does not read back from the mirror. The first copy is complete; run the same command again.")
                }
            }
            for name in try await store.list() where !names.contains(name) { try await store.remove(name) }
        }
    }
}
