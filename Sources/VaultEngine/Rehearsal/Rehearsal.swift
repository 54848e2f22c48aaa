// SPDX-License-Identifier: Apache-2.0

public import Cryptography
import SealedArchive
public import Storage
public import VaultModel

/// For rehearsed recoveries (`coldvault drill`): blobs are the truth, and the engine with its catalog is what is on trial.
extension VaultEngine {
    /// How long a retrieval may take before it counts as failed.
    private static let patience: Duration = .seconds(600)

    /// Does what ``run()`` does before the first request, the test of the keys included, and then nothing but jobs, until cancelled. Nothing is
    /// reclaimed, rotated, delivered or signed: whoever rehearses must not make history.
    public func runJobsAlone() async throws(VaultError) {
        try await prepare()
        let epoch = try await vaultErrors("starting the engine") { try await catalog.beginEpoch() }
        await JobRunner(engine: self, epoch: epoch).run()
    }

    /// Opens the manifest that the store holds. Needs the vault's keys from the catalog.
    public func manifestFacts(_ reference: ArchiveReference) async throws(VaultError) -> ManifestFacts {
        try await vaultErrors("opening a manifest") {
            let vault = try await knownVault(reference)
            let name = BlobName.manifest(
                account: reference.account.digits, vaultUID: reference.vault.bytes, archiveUID: reference.archive.bytes,
                generation: reference.generation)
            let blob = try await RecordReader(store: cold).bytes(of: try blobID(name.text), maxBytes: SealedBlob.maxBlobBytes)
            let version = try BlobPreamble(parsing: blob).index
            let opened = try SealedBlob.open(
                blob, expecting: BlobExpectation(.manifest, uid: reference.archive.bytes, index: version, number: reference.generation),
                account: reference.account.digits, vaultUID: reference.vault.bytes, key: try keyring.key(of: vault, version: version))
            let manifest = try Manifest(decoding: opened.plaintext)
            return ManifestFacts(
                archiveID: manifest.archiveID, created: Timestamp(milliseconds: manifest.createdMilliseconds), bytes: manifest.size,
                treeHash: manifest.treeHash)
        }
    }

    /// The tree hash that a row of a catalog holds, this engine's or another one's of the same service.
    public func treeHash(of row: ArchiveRow, in vault: VaultRow) throws(VaultError) -> SHA256Digest {
        try keyring.open(row.sealed, as: ArchiveColumn.self, uid: row.uid.bytes, of: vault).treeHash
    }

    /// Retrieves an archive as a client would, by a job and its output, and compares what comes back with the catalog and with the manifest.
    /// ``runJobsAlone()`` must be running.
    public func rehearseRetrieval(_ reference: ArchiveReference) async throws(VaultError) -> ManifestFacts {
        let facts = try await manifestFacts(reference)
        return try await vaultErrors("retrieving an archive") {
            let vault = try await knownVault(reference)
            guard let row = try await catalog.archive(reference.archive), row.state == .stored else {
                throw VaultError(.notFound, "The catalog does not list the archive \(reference.archive).")
            }
            guard row.id == facts.archiveID, row.size == facts.bytes, try treeHash(of: row, in: vault) == facts.treeHash else {
                throw VaultError(.integrity, "Catalog and manifest say different things of the archive \(reference.archive).")
            }
            // Bulk: a data retrieval policy, which spreads the other tiers over hours, is not on trial.
            let job = try await initiateJob(
                vault.location,
                JobRequest(action: .archive(archiveID: row.id, range: nil), tier: .bulk, description: "drill", snsTopic: nil))
            try await succeeded(job, in: vault.location)
            let received = ReceivedBytes()
            let output = try await openOutput(vault.location, jobID: job, range: .whole)
            try await output.stream { received.add($0) }
            guard received.count == facts.bytes, received.treeHash == facts.treeHash else {
                throw VaultError(.integrity, "What came back is not what the manifest says was stored.")
            }
            return facts
        }
    }

    private func succeeded(_ job: String, in location: VaultLocation) async throws {
        let end = clock.monotonic() + Self.patience
        while true {
            let description = try await describeJob(location, jobID: job)
            switch description.status {
            case .succeeded: return
            case .failed: throw VaultError(.integrity, description.statusMessage ?? "The job failed without a reason.")
            case .inProgress: break
            }
            guard clock.monotonic() < end else { throw VaultError(.unavailable, "The job did not end in time.") }
            try await clock.sleep(for: .milliseconds(2))
        }
    }

    private func knownVault(_ reference: ArchiveReference) async throws -> VaultRow {
        guard let vault = try await catalog.vault(reference.vault) else {
            throw VaultError(.notFound, "The catalog does not know the vault \(reference.vault).")
        }
        return vault
    }
}
