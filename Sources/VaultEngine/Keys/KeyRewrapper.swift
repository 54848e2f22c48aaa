// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Execution
import Logging
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// Moves what the catalog says hangs on older versions of a vault's key to the newest one.
///
/// Invariants:
///  1. The new manifest or record is durable before the catalog names it, and only then the old one is doomed; whoever holds the old
///     generation finds it until the grace has ended, and the new one afterwards (``ArchiveReader``).
///  2. The catalog changes only what is still at the generation that was read: what was deleted or changed meanwhile is left to the next
///     round, and what was written for it is doomed.
///  3. A name for which a deletion waits is not written: a re-wrap that failed has doomed its manifests, and what is doomed goes, late or not.
///  4. Nothing is remembered: the next round asks the catalog what is left, so that it can be killed anywhere and run twice.
/// Allowed on locked vaults: it changes nothing that a lock speaks of.
struct KeyRewrapper: Sendable {
    static let batch = 64
    private static let moved = Counter(label: "coldvault.rewrapped.archives")
    /// Archives that cannot be moved are passed over up to this many; more mean that something is wrong with the store.
    private static let maxFailures = 1000

    let engine: VaultEngine
    let pace: RewrapPace

    private var catalog: any Catalog { engine.catalog }

    /// Everything of one vault. Returns how many rows were moved, and what could not be.
    func move(_ uid: VaultUID) async throws -> (moved: Int, failed: [String]) {
        var total = 0
        var failed: [ArchiveUID: String] = [:]
        while failed.count < Self.maxFailures {
            guard let vault = try await catalog.vault(uid), let newest = vault.keys.last?.version else { break }
            var moved = 0
            for version in vault.keys.map(\.version) where version != newest {
                moved += try await moveArchives(of: vault, under: version, &failed)
                moved += try await moveUploads(of: vault, under: version)
                moved += try await moveJobs(of: vault, under: version)
            }
            if let settings = vault.settings, settings.keyVersion != newest {
                // Every change seals the settings under the newest version.
                try await engine.updateVault(vault, as: .vault(vault.location, .key, "key:ResealSettings", by: .service)) { _ in }
            }
            total += moved
            if moved == 0 { break }
        }
        return (total, failed.values.prefix(10).sorted())
    }

    // MARK: archives

    private func moveArchives(
        of vault: VaultRow, under version: UInt32, _ failed: inout [ArchiveUID: String]
    ) async throws -> Int {
        let rows = try await catalog.archivesUnderKey(
            vault: vault.uid, version: version, limit: Self.batch + failed.count)
        var moved = 0
        var rest = rows.filter { failed[$0.uid] == nil }.prefix(Self.batch)
        while !rest.isEmpty {
            let group = group(of: rest)
            rest = rest.dropFirst(group.rows.count)
            let memory = try await engine.budget.reserve(group.bytes)
            defer { memory.release() }
            var rewraps: [ManifestRewrap] = []
            for row in group.rows {
                do {
                    rewraps.append(try await ManifestRewrap(row, in: vault, engine: engine))
                } catch {
                    if Task.isCancelled || isTransient(error) { throw error }
                    guard try await isStillThere(row) else { continue }
                    failed[row.uid] = "archive \(row.id): \(error)"
                    engine.logger.error(
                        "an archive cannot be moved to the newest key", metadata: ["archive": "\(row.id)", "error": "\(error)"])
                }
            }
            let done = try await store(rewraps, in: vault)
            // Each by itself: the status begins anew with an order that comes meanwhile.
            engine.keyDesk.update { $0.archives += UInt64(done) }
            Self.moved.increment(by: Int64(done))
            moved += done
            try await pace.rest(after: group.rows.count)
        }
        return moved
    }

    /// As many of the first rows as are worth one barrier and fit into a quarter of the memory for requests; one in any case.
    private func group(of rows: ArraySlice<ArchiveRow>) -> (rows: ArraySlice<ArchiveRow>, bytes: Int) {
        let limit = engine.configuration.memoryBudgetBytes / 4
        var bytes = 0
        var count = 0
        for row in rows {
            let next = ManifestRewrap.workingBytes(row, in: engine)
            guard count == 0 || bytes + next <= limit else { break }
            bytes += next
            count += 1
        }
        return (rows.prefix(count), min(bytes, engine.configuration.memoryBudgetBytes))
    }

    private func isStillThere(_ row: ArchiveRow) async throws -> Bool {
        try await catalog.archive(row.uid)?.generation == row.generation
    }

    /// The manifests durable behind one barrier, the catalog, then the end of the old ones. Returns how many archives were moved.
    private func store(_ rewraps: [ManifestRewrap], in vault: VaultRow) async throws -> Int {
        guard !rewraps.isEmpty else { return 0 }
        var written: [Written] = []
        var blobs: [(id: BlobID, bytes: ByteBuffer)] = []
        for rewrap in rewraps {
            let generation = try await undoomed(rewrap, from: rewrap.archive.generation + 1, in: vault)
            blobs.append(try await rewrap.blob(generation: generation, engine: engine))
            written.append(Written(rewrap: rewrap, generation: generation, replaced: [rewrap.archive.generation]))
        }
        if try await !putUnlessTaken(blobs) {
            // A crash left manifests there that no row names: each archive takes a name above all that are.
            for index in written.indices { written[index] = try await writeAbove(written[index].rewrap, in: vault) }
        }
        let new = try written.map { try ManifestRewrap.name($0.rewrap.archive.uid, in: vault, generation: $0.generation) }
        let done: Set<ArchiveUID>
        do {
            // The order and its end are in the audit log, with counts; an entry for each batch would only fill it.
            done = try await catalog.rewrapArchives(written.map(\.change), audit: .none)
        } catch {
            try await engine.doomUnlessUnknown(new, after: error)
            throw error
        }
        var replaced: [BlobID] = []
        var lost: [BlobID] = []
        for (item, blob) in zip(written, new) {
            guard done.contains(item.rewrap.archive.uid) else {
                lost.append(blob)
                continue
            }
            for generation in item.replaced {
                replaced.append(try ManifestRewrap.name(item.rewrap.archive.uid, in: vault, generation: generation))
            }
        }
        try await engine.doom(lost, of: .cold)
        try await engine.doom(replaced, of: .cold, after: engine.configuration.replacedGrace)
        return done.count
    }

    private struct Written: Sendable {
        let rewrap: ManifestRewrap
        let generation: UInt64
        let replaced: [UInt64]

        var change: ArchiveRewrap {
            ArchiveRewrap(
                uid: rewrap.archive.uid, expectedGeneration: rewrap.archive.generation, newGeneration: generation,
                newKeyVersion: rewrap.keyVersion, newSealed: rewrap.column)
        }
    }

    private func putUnlessTaken(_ blobs: [(id: BlobID, bytes: ByteBuffer)]) async throws -> Bool {
        do throws(StorageError) {
            try await engine.cold.putAll(blobs)
            return true
        } catch {
            guard error.code == .alreadyExists else { throw error }
            return false
        }
    }

    private func writeAbove(_ rewrap: ManifestRewrap, in vault: VaultRow) async throws -> Written {
        for _ in 0..<8 {
            let taken = try await engine.manifestGenerations(of: rewrap.archive.uid, in: vault)
            let generation = try await undoomed(rewrap, from: max(rewrap.archive.generation, taken.last ?? 0) + 1, in: vault)
            if try await putUnlessTaken([try await rewrap.blob(generation: generation, engine: engine)]) {
                return Written(rewrap: rewrap, generation: generation, replaced: taken)
            }
        }
        throw VaultError(.unavailable, "Others are writing manifests of the same archive. Please try again.")
    }

    private func undoomed(_ rewrap: ManifestRewrap, from generation: UInt64, in vault: VaultRow) async throws -> UInt64 {
        try await engine.undoomed(from: generation) { try ManifestRewrap.name(rewrap.archive.uid, in: vault, generation: $0) }
    }

    private func isTransient(_ error: any Error) -> Bool {
        switch error {
        case is CancellationError: true
        case let error as StorageError: error.code != .integrity && error.code != .notFound
        case let error as VaultError: error.code == .unavailable
        default: false
        }
    }

    // MARK: uploads, jobs, staged outputs

    private func moveUploads(of vault: VaultRow, under version: UInt32) async throws -> Int {
        var moved = 0
        for upload in try await catalog.uploadsUnderKey(vault: vault.uid, version: version, limit: Self.batch) {
            if try await move(upload, in: vault) { moved += 1 }
            try await pace.rest(after: 1)
        }
        engine.keyDesk.update { $0.uploads += UInt64(moved) }
        return moved
    }

    /// False when the upload went on meanwhile: the next round sees it again.
    private func move(_ upload: UploadRow, in vault: VaultRow) async throws -> Bool {
        let (keyring, random) = (engine.keyring, engine.random)
        let (version, key) = try keyring.currentKey(of: vault)
        let birth = try ArchiveBirth(of: upload, in: vault, keyring: keyring)
        let column = try keyring.reseal(
            upload.sealed, table: UploadColumn.table, uid: upload.uid.bytes, of: vault, random: random)
        let memory = try await engine.budget.reserve(VaultEngine.completionBytes)
        defer { memory.release() }
        var parts: [UInt32: SealedColumnValue] = [:]
        var next: UInt32 = 0
        while parts.count <= Limits.maxParts {
            let page = try await catalog.parts(upload.uid, from: next, limit: 1000)
            for part in page where part.sealed.keyVersion != version {
                parts[part.index] = try keyring.reseal(
                    part.sealed, table: PartColumn.table, uid: VaultEngine.partRowUID(part.upload, part.index), of: vault,
                    random: random)
            }
            guard page.count == 1000, let last = page.last else { break }
            next = last.index + 1
            try await pace.rest(after: 0)
        }
        var changed = upload
        changed.keyVersion = version
        changed.wrappedDataKey = try KeyWrap.wrap(
            birth.dataKey, under: key, context: ArchiveBirth.wrapContext(vault, upload.archive), random: random)
        changed.sealed = column
        let description = try keyring.open(upload.sealed, as: UploadColumn.self, uid: upload.uid.bytes, of: vault).description
        let record = try await engine.writeUploadRecord(
            changed, description: description, in: vault, from: upload.generation + 1)
        let change = UploadRewrap(
            uid: upload.uid, expectedGeneration: upload.generation, expectedRevision: upload.revision,
            newGeneration: record.generation, newKeyVersion: version, newWrappedDataKey: changed.wrappedDataKey, newSealed: column,
            newParts: parts)
        do {
            guard try await catalog.rewrapUpload(change, audit: .none) else {
                try await engine.doom([record.blob], of: .cold)
                return false
            }
        } catch {
            try await engine.doomUnlessUnknown([record.blob], after: error)
            throw error
        }
        let old = BlobName.upload(
            account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: upload.archive.bytes,
            generation: upload.generation)
        try await engine.doom([try blobID(old.text)], of: .cold, after: engine.configuration.replacedGrace)
        return true
    }

    private func moveJobs(of vault: VaultRow, under version: UInt32) async throws -> Int {
        let (keyring, random) = (engine.keyring, engine.random)
        var moved = 0
        let jobs = try await catalog.jobsUnderKey(vault: vault.uid, version: version, limit: Self.batch)
        if !jobs.isEmpty {
            let changes = try jobs.map { job in
                Reseal(
                    uid: job.uid, old: job.sealed,
                    new: try keyring.reseal(
                        job.sealed, table: JobColumn.table, uid: job.uid.bytes, of: vault, random: random))
            }
            moved += try await catalog.resealJobs(changes).count
        }
        let staged = try await catalog.stagedUnderKey(vault: vault.uid, version: version, limit: Self.batch)
        if !staged.isEmpty {
            let changes = try staged.map { Reseal(uid: $0.uid, old: $0.sealed, new: try rewrapped($0, in: vault)) }
            moved += try await catalog.resealStaged(changes).count
        }
        engine.keyDesk.update { $0.jobs += UInt64(moved) }
        if moved > 0 { try await pace.rest(after: moved) }
        return moved
    }

    /// The column of a staged output holds its key, wrapped under the same version.
    private func rewrapped(_ staged: StagedRow, in vault: VaultRow) throws -> SealedColumnValue {
        let keyring = engine.keyring
        var column = try keyring.open(staged.sealed, as: StagedColumn.self, uid: staged.uid.bytes, of: vault)
        let context = WrapContext.jobKey(
            account: vault.location.account.digits, vaultUID: vault.uid.bytes, stagedUID: staged.uid.bytes)
        let inner = try KeyWrap.unwrap(
            column.wrappedKey, under: try keyring.key(of: vault, version: staged.sealed.keyVersion), context: context)
        let (version, key) = try keyring.currentKey(of: vault)
        column.wrappedKey = try KeyWrap.wrap(inner, under: key, context: context, random: engine.random)
        return try keyring.seal(column, uid: staged.uid.bytes, version: version, key: key, random: engine.random)
    }
}

extension VaultEngine {
    /// The generations of which the store has a manifest of the archive, in order; of very many the first thousand.
    func manifestGenerations(of archive: ArchiveUID, in vault: VaultRow) async throws -> [UInt64] {
        let prefix = BlobName.archivePrefix(
            account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: archive.bytes)
        return try await cold.list(prefix: prefix + "manifest-", after: nil, limit: 1000).compactMap { entry in
            guard case .manifest(_, _, _, let generation) = BlobName(entry.id.name) else { return nil }
            return generation
        }
    }
}
