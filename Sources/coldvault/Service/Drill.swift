// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Execution
import FileBlobStore
import FileKeyCustody
import Logging
import PosixDisk
import SQLiteCatalog
import SealedArchive
import Storage
import VaultEngine
import VaultModel

/// A rehearsed recovery: the catalog is taken for lost, brought back from a backup into a scratch directory, and served inside this process
/// over the blobs as they are. Nothing below the data directory is written.
struct Drill {
    /// Archives that the catalog lacks and whose manifests are opened for their dates; of more, the others count without one.
    private static let maxDatedLosses = 10_000
    private static let maxNamedFailures = 100

    let directory: DataDirectory
    let scratch: String
    let backup: OpenedBackup
    let backupKey: SecretKey
    let root: SecretKey
    let sampleSize: Int
    let seed: UInt64
    let compute: BlockingPool

    /// What was measured.
    struct Outcome {
        var archives: UInt64 = 0
        var lost: UInt64 = 0
        var surplus: UInt64 = 0
        var recoveryPoint: Duration = .zero
        var untilServing: Duration = .zero
        var untilSampled: Duration = .zero
        var retrieved = 0
        var retrievedBytes: UInt64 = 0
        var sampled = 0
        var unknown = 0
        var failures: [String] = []
    }

    /// The evidence, signed.
    func run() async throws -> (statement: SignedStatement, passed: Bool) {
        let clock = SystemTimeSource()
        let random = SystemRandomBytes()
        let start = clock.monotonic()
        let keyring = try await openKeyring(random)
        try backup.requireService(keyring.signingPublicKeys)
        let catalogPath = "\(scratch)/catalog.sqlite"
        try await backup.extractCatalog(privateKey: backupKey, to: catalogPath, in: scratch)
        let catalog = try await SQLiteCatalog.open(path: catalogPath)
        let result: Result<Outcome, any Error>
        do {
            try await catalog.checkIntegrity()
            let original = directory.coldStore(reserveBytes: 0)
            let own = DataDirectory(path: scratch, disk: directory.disk)
            let cold = ReadThroughStore(original: original, scratch: own.coldStore(reserveBytes: 0))
            let engine = VaultEngine(
                configuration: Self.configuration, catalog: catalog, cold: cold, warm: own.warmStore(reserveBytes: 0), keyring: keyring,
                compute: compute, clock: clock, random: random, logger: Logger(label: "coldvault.drill") { _ in SwiftLogNoOpLogHandler() })
            result = .success(try await rehearse(engine, catalog, original, clock, since: start))
        } catch {
            result = .failure(error)
        }
        await catalog.close()
        let outcome = try result.get()
        return (
            try keyring.statement(.drill, created: clock.now(), body: body(outcome)),
            outcome.failures.isEmpty
        )
    }

    private func rehearse(
        _ engine: VaultEngine, _ catalog: SQLiteCatalog, _ blobs: any BlobStore, _ clock: SystemTimeSource, since start: Duration
    ) async throws -> Outcome {
        try await engine.prepare()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await engine.run() }
            let outcome = try await measure(engine, catalog, blobs, clock, since: start)
            group.cancelAll()
            try await group.waitForAll()
            return outcome
        }
    }

    private func measure(
        _ engine: VaultEngine, _ catalog: SQLiteCatalog, _ blobs: any BlobStore, _ clock: SystemTimeSource, since start: Duration
    ) async throws -> Outcome {
        var outcome = Outcome()
        outcome.untilServing = clock.monotonic() - start
        var sample = DrillSample(capacity: sampleSize, seed: seed)
        var missing: Set<ArchiveReference> = []
        let difference = try await CatalogDifference.measure(catalog, blobs) { reference, isKnown in
            sample.offer(reference)
            if !isKnown, missing.count < Self.maxDatedLosses { missing.insert(reference) }
        }
        // Walking all blobs is measuring, not recovering: its time counts nowhere.
        outcome.archives = sample.seen
        outcome.lost = difference.missing
        outcome.surplus = difference.deleted + difference.gone
        let backupMade = Timestamp(milliseconds: Int64(clamping: backup.file.header.createdMilliseconds))
        for reference in missing {
            // A vault that the catalog lacks, too, leaves the date unknown.
            guard let created = try? await engine.manifestFacts(reference).created else { continue }
            outcome.recoveryPoint = max(outcome.recoveryPoint, created.since(backupMade))
        }
        let beforeSample = clock.monotonic()
        for reference in sample.chosen {
            outcome.sampled += 1
            guard !missing.contains(reference) else {
                outcome.unknown += 1
                continue
            }
            do throws(VaultError) {
                let facts = try await engine.manifestFacts(reference)
                try await engine.rehearseRetrieval(reference, facts)
                outcome.retrieved += 1
                outcome.retrievedBytes += facts.bytes
            } catch {
                // Deleted by the running service since it was chosen, or lost with what is beyond the dated ones: no failure of the recovery.
                let isLive = try await isLive(reference, blobs)
                let isKnown = try await catalog.archive(reference.archive)?.state == .stored
                if isLive && isKnown {
                    if outcome.failures.count < Self.maxNamedFailures { outcome.failures.append("\(reference.archive): \(error)") }
                } else {
                    outcome.unknown += 1
                }
            }
        }
        outcome.untilSampled = outcome.untilServing + (clock.monotonic() - beforeSample)
        return outcome
    }

    private func isLive(_ reference: ArchiveReference, _ blobs: any BlobStore) async throws -> Bool {
        let prefix = BlobName.archivePrefix(
            account: reference.account.digits, vaultUID: reference.vault.bytes, archiveUID: reference.archive.bytes)
        let names = try await blobs.list(prefix: prefix, after: nil, limit: 1000).map(\.id.name)
        return names.contains { $0.hasPrefix("\(prefix)manifest-") } && !names.contains { $0.hasPrefix("\(prefix)deletion-") }
    }

    /// From copies of the key files in memory: nothing can be written to `keys/`.
    private func openKeyring(_ random: SystemRandomBytes) async throws -> Keyring {
        var files: [String: [UInt8]] = [:]
        let store = directory.keyFiles()
        for name in try await store.list() { files[name] = try await store.read(name) }
        return try await Keyring.open(
            files: HeldKeyFiles(files: files), root: FileKeyCustody(rootKey: root, random: random), random: random,
            recoveryCustody: { RecoveryKeyCustody(recoveryKey: $0, random: random) })
    }

    private static var configuration: EngineConfiguration {
        var configuration = EngineConfiguration()
        configuration.outputMode = .inPlace
        // A policy that spreads retrievals over hours is not on trial.
        configuration.retrievalQuotaMode = .refuse
        configuration.freeTierMonthlyBytes = 1 << 50
        return configuration
    }

    private func body(_ outcome: Outcome) -> [String: JSONValue] {
        let header = backup.file.header
        return [
            "archives": .integer(Int64(clamping: outcome.archives)), "backup": .string(backup.file.path),
            "backupCreated": .integer(Int64(clamping: header.createdMilliseconds)),
            "backupGeneration": .integer(Int64(clamping: header.generation)), "dataDirectory": .string(directory.path),
            "failures": .array(outcome.failures.map { .string($0) }), "lostArchives": .integer(Int64(clamping: outcome.lost)),
            "passed": .bool(outcome.failures.isEmpty), "recoveredFrom": "backup",
            "recoveryPointMilliseconds": .integer(outcome.recoveryPoint.wholeMilliseconds),
            "retrieved": .integer(Int64(outcome.retrieved)), "retrievedBytes": .integer(Int64(clamping: outcome.retrievedBytes)),
            "sampled": .integer(Int64(outcome.sampled)), "seed": .string(String(seed)),
            "surplusArchives": .integer(Int64(clamping: outcome.surplus)), "unknownToCatalog": .integer(Int64(outcome.unknown)),
            "untilSampledMilliseconds": .integer(outcome.untilSampled.wholeMilliseconds),
            "untilServingMilliseconds": .integer(outcome.untilServing.wholeMilliseconds),
        ]
    }
}

extension Duration {
    /// Rounded down.
    fileprivate var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
