// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Execution
import PosixDisk
import SQLiteCatalog
import SealedArchive
import Storage
import VaultEngine
import VaultModel

/// A rehearsed recovery: the catalog is taken for lost, brought back into a scratch directory out of blobs or a backup, and served inside this
/// process over the blobs as they are.
///
///     survey ▶ loss ▶ recover ▶ serve ▶ retrieve the sample ▶ compare with blobs and live catalog
///
/// Nothing below the data directory is written, and its lock is not taken. What a recovery cannot do is a failed drill, with evidence; what only
/// keeps the drill from running (a full scratch disk, a wrong root key) is an error.
struct Drill {
    /// Archives that the catalog lacks and whose manifests are opened for their dates; of more, the others count without one.
    private static let maxDatedLosses = 10_000
    /// Beside a running service, what is so young at the loss may have been acknowledged after it.
    private static let youth: Duration = .seconds(10)

    let directory: DataDirectory
    let scratch: DataDirectory
    let source: DrillSource
    let root: SecretKey
    let sampleSize: Int
    let seed: UInt64
    let compute: BlockingPool
    let clock = SystemTimeSource()
    let log = DrillLog()

    /// The evidence, signed, and the verdict.
    func run() async throws -> (statement: SignedStatement, passed: Bool) {
        let blobs = ReadThroughStore(original: directory.coldStore(reserveBytes: 0), scratch: scratch.coldStore(reserveBytes: 0))
        let isInUse = try await LiveCatalog.isInUse(directory, on: compute)
        let (live, reason) = await LiveCatalog.open(directory, isInUse: isInUse, on: compute)
        let result: Result<(SignedStatement, Bool), any Error>
        do {
            result = .success(try await run(blobs, live, reason, isInUse: isInUse))
        } catch {
            result = .failure(error)
        }
        await live?.catalog.close()
        return try result.get()
    }

    private func run(
        _ blobs: ReadThroughStore, _ live: LiveCatalog?, _ reason: String?, isInUse: Bool
    ) async throws -> (SignedStatement, Bool) {
        let surveyed = clock.monotonic()
        var sample = DrillSample(capacity: sampleSize, seed: seed)
        try await ArchiveNames.walk(blobs) { names in if let reference = names.reference { sample.offer(reference) } }
        // From here on the catalog is lost.
        let loss = clock.monotonic()
        var outcome = DrillOutcome(began: clock.now(), seed: seed, requested: sampleSize)
        outcome.archives = sample.seen
        outcome.chosen = sample.chosen.count
        outcome.surveying = loss - surveyed
        outcome.source = ["from": .string(source.isRebuild ? "rebuild" : "backup")]
        outcome.live = Self.unreachable(reason)
        let recovery = DrillRecovery(
            directory: directory, scratch: scratch, blobs: blobs, root: root, compute: compute, clock: clock, isInUse: isInUse)
        var keyring = try await recovery.openKeyring()
        do {
            keyring = try await recover(recovery, keyring, &outcome)
            outcome.untilCatalog = clock.monotonic() - loss
            try await examine(blobs, live, keyring, sample.chosen, since: loss, isInUse: isInUse, &outcome)
        } catch where Self.condemns(error) {
            outcome.fail("recovery: \(Self.text(error))")
        }
        outcome.engineErrors = log.errors
        var body = outcome.body
        body["dataDirectory"] = .string(directory.path)
        return (try keyring.statement(.drill, created: clock.now(), body: body), outcome.passed)
    }

    private func recover(_ recovery: DrillRecovery, _ keyring: Keyring, _ outcome: inout DrillOutcome) async throws -> Keyring {
        switch source {
        case .rebuild: return try await recovery.rebuild(keyring, &outcome)
        case .backup(let path, let key):
            try await recovery.restore(path, key, keyring, &outcome)
            return keyring
        }
    }

    // MARK: with the catalog back

    private func examine(
        _ blobs: ReadThroughStore, _ live: LiveCatalog?, _ keyring: Keyring, _ sample: [ArchiveReference], since loss: Duration,
        isInUse: Bool, _ outcome: inout DrillOutcome
    ) async throws {
        let catalog = try await SQLiteCatalog.open(path: scratch.catalogPath)
        let engine = VaultEngine(
            configuration: Self.configuration, catalog: catalog, cold: blobs, warm: scratch.warmStore(reserveBytes: 0), keyring: keyring,
            compute: compute, clock: clock, random: SystemRandomBytes(), logger: log.logger)
        let result: Result<Void, any Error>
        do {
            // What a start does before the first request.
            try await engine.prepare()
            outcome.untilReady = clock.monotonic() - loss
            let exam = DrillExam(engine: engine, catalog: catalog, blobs: blobs, clock: clock, mustKnowAll: source.isRebuild)
            take(try await exam.run(sample), since: loss, &outcome)
            // Walking everything is measuring, not recovering: its time counts nowhere.
            try await compareWithBlobs(engine, catalog, blobs, isInUse: isInUse, &outcome)
            if let live { try await compare(with: live, engine, catalog, &outcome) }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await catalog.close()
        try result.get()
    }

    private func take(_ marks: DrillExam.Marks, since loss: Duration, _ outcome: inout DrillOutcome) {
        outcome.untilFirst = marks.firstVerified.map { $0 - loss }
        outcome.untilSample = marks.ended - loss
        for (reference, verdict) in marks.verdicts {
            switch verdict {
            case .verified(let facts):
                outcome.verified.append(DrillOutcome.Verified(reference: reference, facts: facts))
                outcome.verifiedBytes += facts.bytes
            case .unknown: outcome.unknown += 1
            case .deletedMeanwhile: outcome.deletedMeanwhile += 1
            case .failed(let reason): outcome.fail(reason)
            }
        }
    }

    /// What the recovered catalog lacks of blobs/, and what it lists that is not there.
    private func compareWithBlobs(
        _ engine: VaultEngine, _ catalog: SQLiteCatalog, _ blobs: ReadThroughStore, isInUse: Bool, _ outcome: inout DrillOutcome
    ) async throws {
        let totals = try await catalog.totals()
        outcome.recoveredArchives = totals.archives
        outcome.recoveredVaults = totals.vaults
        var missing: [ArchiveReference] = []
        outcome.difference = try await CatalogDifference.measure(catalog, blobs) { reference in
            if missing.count < Self.maxDatedLosses { missing.append(reference) }
        }
        if outcome.difference.gone > 0 {
            outcome.fail("\(outcome.difference.gone) archives are in the catalog and have neither a manifest nor a deletion record in blobs/")
        }
        var arrived: UInt64 = 0
        for reference in missing {
            // A vault that the catalog lacks, too, leaves the date unknown.
            let created = try? await engine.manifestFacts(reference).created
            if let created, isInUse, created >= youngest(isInUse, outcome) {
                arrived += 1
            } else {
                outcome.lost(created)
                if source.isRebuild { outcome.fail("\(reference.archive): lies in blobs/ and was not recovered") }
            }
        }
        // Acknowledged since the loss: nobody could have recovered them.
        outcome.difference.missing -= arrived
        outcome.undatedLosses += outcome.difference.missing - min(outcome.difference.missing, UInt64(missing.count) - arrived)
    }

    private func compare(
        with live: LiveCatalog, _ engine: VaultEngine, _ catalog: SQLiteCatalog, _ outcome: inout DrillOutcome
    ) async throws {
        let comparison = try await live.compare(with: catalog, before: youngest(live.isInUse, outcome))
        var (hashes, failures): (Int64, [String]) = (0, [])
        do {
            for archive in outcome.verified {
                guard let row = try await live.catalog.archive(archive.reference.archive), let vault = try await live.catalog.vault(row.vault)
                else { continue }
                hashes += 1
                let hash = try engine.treeHash(of: row, in: vault)
                guard row.size != archive.facts.bytes || hash != archive.facts.treeHash else { continue }
                failures.append("\(row.uid): came back otherwise than the live catalog says")
            }
        } catch {
            // What cannot be read there says nothing of what was recovered.
            outcome.live = Self.unreachable(comparison.trouble ?? Self.text(error))
            return
        }
        if let trouble = comparison.trouble {
            outcome.live = Self.unreachable(trouble)
            return
        }
        guard try await !live.wasOpenedMeanwhile() else {
            outcome.live = Self.unreachable("a service opened it meanwhile")
            return
        }
        outcome.live = [
            "archives": .integer(Int64(clamping: comparison.compared)), "different": .integer(Int64(clamping: comparison.different)),
            "inUse": .bool(live.isInUse), "missing": .integer(Int64(clamping: comparison.missing)), "treeHashes": .integer(hashes),
        ]
        for failure in failures { outcome.fail(failure) }
        // A backup may lack what came after it: that is counted as lost, and no failure.
        if source.isRebuild || comparison.different > 0 { for difference in comparison.named { outcome.fail(difference) } }
    }

    /// Archives from this moment on may have been acknowledged after the loss.
    private func youngest(_ isInUse: Bool, _ outcome: DrillOutcome) -> Timestamp {
        isInUse ? outcome.began.advanced(by: .zero - Self.youth) : outcome.began
    }

    private static func unreachable(_ reason: String?) -> JSONValue { ["unreachable": reason.map { .string($0) } ?? .null] }

    /// Whether an error says that the recovery would have failed, rather than that it could not be tried.
    private static func condemns(_ error: any Error) -> Bool {
        switch error {
        case is OperatorError, is UnusableBackup, is FormatError: true
        case let error as StorageError: error.code == .integrity || error.code == .unusable || error.code == .notFound
        case let error as VaultError: error.code == .integrity || error.code == .accessDenied || error.code == .internalFailure
        default: false
        }
    }

    private static func text(_ error: any Error) -> String {
        switch error {
        case let error as StorageError: error.message
        case let error as VaultError: error.message + (error.cause.map { " (\($0))" } ?? "")
        default: "\(error)"
        }
    }

    private static var configuration: EngineConfiguration {
        var configuration = EngineConfiguration()
        configuration.outputMode = .inPlace
        configuration.concurrentJobs = DrillExam.lanes
        return configuration
    }
}
