// SPDX-License-Identifier: Apache-2.0

public import Cryptography
import NIOCore
import SealedArchive
import Storage
import Synchronization
import TreeHash
public import VaultModel

/// An archive as the names of its blobs tell it.
public struct ArchiveReference: Sendable, Hashable {
    public let account: AccountID
    public let vault: VaultUID
    public let archive: ArchiveUID
    /// Of its newest manifest.
    public let generation: UInt64

    public init(account: AccountID, vault: VaultUID, archive: ArchiveUID, generation: UInt64) {
        self.account = account
        self.vault = vault
        self.archive = archive
        self.generation = generation
    }
}

/// What the manifest among the blobs says of an archive, whatever the catalog says.
public struct ManifestFacts: Sendable, Hashable {
    public let archiveID: String
    public let created: Timestamp
    public let bytes: UInt64
    public let treeHash: SHA256Digest
}

/// For rehearsed recoveries (`coldvault drill`): blobs are the truth, and the engine is what is on trial.
extension VaultEngine {
    /// How long a retrieval may take before it counts as failed.
    private static let patience: Duration = .seconds(600)

    /// Opens the manifest that the store holds. Needs the vault's keys from the catalog.
    public func manifestFacts(_ reference: ArchiveReference) async throws(VaultError) -> ManifestFacts {
        try await vaultErrors("opening a manifest") {
            let vault = try await knownVault(reference)
            let name = BlobName.manifest(
                account: reference.account.digits, vaultUID: reference.vault.bytes, archiveUID: reference.archive.bytes,
                generation: reference.generation)
            let id = try blobID(name.text)
            guard let bytes = try await cold.size(of: id), bytes <= UInt64(SealedBlob.maxBlobBytes) else {
                throw StorageError(.integrity, "The manifest \(id) is missing, or too long to be one.")
            }
            var blob: [UInt8] = []
            while UInt64(blob.count) < bytes {
                let end = min(bytes, UInt64(blob.count) + UInt64(cold.maxReadBytes))
                blob += try await cold.read(id, range: UInt64(blob.count)..<end).readableBytesView
            }
            let preamble = try BlobPreamble(parsing: blob)
            let opened = try SealedBlob.open(
                blob, expecting: BlobExpectation(.manifest, uid: reference.archive.bytes, number: reference.generation),
                account: reference.account.digits, vaultUID: reference.vault.bytes,
                key: try keyring.key(of: vault, version: preamble.index))
            let manifest = try Manifest(decoding: opened.plaintext)
            return ManifestFacts(
                archiveID: manifest.archiveID, created: Timestamp(milliseconds: manifest.createdMilliseconds), bytes: manifest.size,
                treeHash: manifest.treeHash)
        }
    }

    /// Retrieves an archive as a client would, by a job and its output, and compares length and tree hash with its manifest. The engine must
    /// be running.
    public func rehearseRetrieval(_ reference: ArchiveReference, _ facts: ManifestFacts) async throws(VaultError) {
        try await vaultErrors("retrieving an archive") {
            let location = try await knownVault(reference).location
            let job = try await initiateJob(
                location,
                JobRequest(action: .archive(archiveID: facts.archiveID, range: nil), tier: nil, description: "drill", snsTopic: nil))
            let end = clock.monotonic() + Self.patience
            while true {
                let description = try await describeJob(location, jobID: job)
                if description.status == .succeeded { break }
                guard description.status == .inProgress, clock.monotonic() < end else {
                    throw VaultError(.integrity, description.statusMessage ?? "The job did not end in time.")
                }
                try await clock.sleep(for: .milliseconds(5))
            }
            let received = ReceivedBytes(expected: facts.bytes)
            try await openOutput(location, jobID: job, range: .whole).stream { received.add($0) }
            guard received.matches(facts) else {
                throw VaultError(.integrity, "What came back is not what the manifest says was stored.")
            }
        }
    }

    private func knownVault(_ reference: ArchiveReference) async throws -> VaultRow {
        guard let vault = try await catalog.vault(reference.vault) else {
            throw VaultError(.notFound, "The catalog does not know the vault \(reference.vault).")
        }
        return vault
    }
}

/// Counts and hashes an output as it is handed out.
private final class ReceivedBytes: Sendable {
    private struct State {
        var leaves: [SHA256Digest] = []
        var leaf: [UInt8] = []
        var count: UInt64 = 0
    }

    private let state = Mutex(State())

    init(expected: UInt64) {
        state.withLock { $0.leaves.reserveCapacity(Int(min(expected >> 20, 1 << 16)) + 1) }
    }

    func add(_ bytes: ByteBuffer) {
        state.withLock { state in
            state.count += UInt64(bytes.readableBytes)
            var rest = bytes.readableBytesView[...]
            while !rest.isEmpty {
                let take = min(Limits.leafBytes - state.leaf.count, rest.count)
                state.leaf += rest.prefix(take)
                rest = rest.dropFirst(take)
                if state.leaf.count == Limits.leafBytes {
                    state.leaves.append(SHA256Hasher.hash(state.leaf))
                    state.leaf.removeAll(keepingCapacity: true)
                }
            }
        }
    }

    func matches(_ facts: ManifestFacts) -> Bool {
        state.withLock { state in
            let leaves = state.leaves + (state.leaf.isEmpty ? [] : [SHA256Hasher.hash(state.leaf)])
            return state.count == facts.bytes && TreeHash.combine(leaves) == facts.treeHash
        }
    }
}
