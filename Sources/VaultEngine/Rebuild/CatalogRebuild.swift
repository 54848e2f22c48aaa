// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
public import Cryptography
public import Execution
import SealedArchive
public import Storage
public import VaultModel

/// Makes a catalog out of the blob store and the keyring alone, by the rules of Docs/Formats/Rebuild-v1.md.
///
///  1. Reads blobs and keys only; writes to nothing but the builder.
///  2. What it says about a thing has verified; what does not verify is a finding.
///  3. Memory does not grow with the store: names are paged, archives are judged in batches, rows are handed on.
///
/// Walk: accounts; the records of every vault; then every blob in order of names, which brings all blobs of an archive together. Upload records
/// lie under another prefix in the same order, and are merged in.
/// The store must not change meanwhile: the service is stopped. A value used once, by one task.
public struct CatalogRebuild: Sendable {
    let store: any BlobStore
    let keyring: Keyring
    let builder: any CatalogBuilder
    let compute: BlockingPool
    let clock: any TimeSource
    let random: any RandomByteSource
    let options: RebuildOptions
    let nextStray: @Sendable () async throws -> String?
    let progress: @Sendable (RebuildProgress) -> Void
    let journal: @Sendable ([RebuildFinding]) async throws -> Void

    /// - Parameters:
    ///   - store: the cold store.
    ///   - builder: a fresh one; finished on success, else the caller abandons it.
    ///   - compute: threads for hashing and for opening large manifests.
    ///   - nextStray: gives the files that the store holds and that cannot be blobs, one after the other, then nil.
    ///   - progress: called often, between batches.
    ///   - journal: gets every finding as it is made, in order.
    public init(
        store: any BlobStore, keyring: Keyring, builder: any CatalogBuilder, compute: BlockingPool, clock: any TimeSource,
        random: any RandomByteSource, options: RebuildOptions = RebuildOptions(),
        nextStray: @escaping @Sendable () async throws -> String? = { nil },
        progress: @escaping @Sendable (RebuildProgress) -> Void = { _ in },
        journal: @escaping @Sendable ([RebuildFinding]) async throws -> Void = { _ in }
    ) {
        self.store = store
        self.keyring = keyring
        self.builder = builder
        self.compute = compute
        self.clock = clock
        self.random = random
        self.options = options
        self.nextStray = nextStray
        self.progress = progress
        self.journal = journal
    }

    /// Builds and finishes the catalog. On an error nothing was finished.
    public func run() async throws(VaultError) -> RebuildReport {
        try await vaultErrors("rebuilding the catalog") {
            let start = clock.monotonic()
            var report = RebuildReport()
            try await restoreAccounts(&report)
            try await restoreVaults(&report)
            var walk = ArchiveWalk(self, vaultCount: report.vaults + report.deletedVaults)
            try await walk.run(&report)
            while let stray = try await nextStray() {
                try await add([RebuildFinding(.foreign, stray, "not a file that a blob can have")], to: &report)
            }
            try await writeFacts(&report)
            let totals = try await builder.finish()
            guard totals.archives == report.archives, totals.bytes == report.archiveBytes, totals.openUploads == report.openUploads,
                totals.vaults == report.vaults
            else {
                throw VaultError(
                    .internalFailure,
                    "The rebuilt catalog does not hold what was found (\(totals) for \(report.archives) archives); nothing was put in place.")
            }
            report.elapsed = clock.monotonic() - start
            return report
        }
    }

    func add(_ findings: [RebuildFinding], to report: inout RebuildReport) async throws {
        guard !findings.isEmpty else { return }
        report.add(findings)
        try await journal(findings)
    }

    func doom(_ blobs: [DoomedBlob], _ report: inout RebuildReport) async throws {
        for start in stride(from: 0, to: blobs.count, by: builder.maxRows) {
            try await builder.doom(Array(blobs[start..<min(start + builder.maxRows, blobs.count)]))
        }
        report.doomedBlobs += UInt64(blobs.count)
    }

    func doomReplaced(_ names: [String], _ report: inout RebuildReport) async throws {
        let due = clock.now().advanced(by: options.grace)
        try await doom(names.map { DoomedBlob(id: $0, store: .cold, notBefore: due) }, &report)
    }

    /// The clock is believed from the newest time that anything durable names: a clock that was set forward while the catalog was gone
    /// is noticed like any other.
    private func writeFacts(_ report: inout RebuildReport) async throws {
        // The blobs are all the history there is now: the service begins where their newest checkpoint stands.
        try await builder.setFact(VaultEngine.takesUpFact, VaultEngine.takesUp)
        try await builder.setFact(
            VaultEngine.offlineActFact,
            VaultEngine.offlineAct(
                "service:RebuildCatalog",
                [
                    "vaults": .integer(Int64(clamping: report.vaults)), "archives": .integer(Int64(clamping: report.archives)),
                    "rebuilt": .integer(clock.now().milliseconds),
                ]))
        guard let newest = report.newestTime else { return }
        let record = ClockRecord(counted: newest, highest: newest)
        try await builder.setFact(ClockRecord.highestFact, record.highestText)
        try await builder.setFact(ClockRecord.countedFact, record.countedText)
    }
}
