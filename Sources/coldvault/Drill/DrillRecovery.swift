// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Execution
import FileKeyCustody
import PosixDisk
import SQLiteCatalog
import SealedArchive
import Storage
import VaultEngine
import VaultModel

/// Out of what a drill brings the catalog back.
enum DrillSource: Sendable {
    case rebuild
    /// The path of the file; nothing of it is read before the loss.
    case backup(path: String, key: SecretKey)

    var isRebuild: Bool { if case .rebuild = self { true } else { false } }
}

/// Brings a catalog back into a scratch directory. Of the data directory it reads only `keys/` and `blobs/`.
struct DrillRecovery {
    let directory: DataDirectory
    let scratch: DataDirectory
    let blobs: ReadThroughStore
    let root: SecretKey
    let compute: BlockingPool
    let clock: SystemTimeSource
    /// Whether a service changes the blobs meanwhile.
    let isInUse: Bool

    /// From a copy of the key files, made now: whatever the engine writes goes there.
    func openKeyring(copy: String = "keys") async throws -> Keyring {
        let random = SystemRandomBytes()
        let path = "\(scratch.path)/\(copy)"
        _ = try await directory.keyFiles().copyAll(to: path)
        return try await Keyring.open(
            files: KeyDirectory(disk: scratch.disk, path: path), root: FileKeyCustody(rootKey: root, random: random), random: random,
            recoveryCustody: { RecoveryKeyCustody(recoveryKey: $0, random: random) })
    }

    /// Restores the backup, checked as `backup restore` checks it.
    func restore(_ path: String, _ key: SecretKey, _ keyring: Keyring, _ outcome: inout DrillOutcome) async throws {
        let backup = try await OpenedBackup.verified(path, disk: scratch.disk, compute: compute)
        try backup.requireService(keyring.signingPublicKeys)
        let header = backup.file.header
        outcome.backupMade = Timestamp(milliseconds: Int64(clamping: header.createdMilliseconds))
        outcome.source = [
            "backup": .string(path), "created": .integer(Int64(clamping: header.createdMilliseconds)), "from": "backup",
            "generation": .integer(Int64(clamping: header.generation)),
        ]
        try await backup.extractCatalog(privateKey: key, to: scratch.catalogPath, in: scratch.path)
        let catalog = try await SQLiteCatalog.open(path: scratch.catalogPath)
        let checked: Result<Void, any Error>
        do {
            checked = .success(try await catalog.checkIntegrity())
        } catch {
            checked = .failure(error)
        }
        await catalog.close()
        try checked.get()
    }

    /// Makes the catalog again. A rebuild wants blobs that hold still; beside a service it may take for damage what was replaced between a look at
    /// the names and a look at the bytes. Damage is found twice or it is none.
    func rebuild(_ keyring: Keyring, _ outcome: inout DrillOutcome) async throws -> Keyring {
        var (keyring, attempts) = (keyring, 1)
        var report = try await rebuild(with: keyring)
        var damage = Self.damage(in: report)
        if !report.isClean, isInUse {
            attempts = 2
            // A rotation may have come between the keys and the blobs.
            keyring = try await openKeyring(copy: "keys-again")
            report = try await rebuild(with: keyring)
            let again = Self.damage(in: report)
            damage = damage.count < RebuildReport.maxFindings ? again.filter(damage.contains) : again
        }
        for finding in damage { outcome.fail("rebuild: \(finding.kind.rawValue): \(finding.subject): \(finding.reason)") }
        let seconds = max(report.elapsed / .seconds(1), 0.001)
        var counts: [String: JSONValue] = [:]
        for (kind, count) in report.findingCounts { counts[kind.rawValue] = .integer(Int64(clamping: count)) }
        outcome.source = [
            "archivesPerSecond": .integer(Int64(Double(report.archives) / seconds)), "attempts": .integer(Int64(attempts)),
            "blobBytes": .integer(Int64(clamping: report.blobBytes)), "blobs": .integer(Int64(clamping: report.blobs)),
            "findingCounts": .object(counts), "from": "rebuild", "milliseconds": .integer(report.elapsed.wholeMilliseconds),
        ]
        return keyring
    }

    private static func damage(in report: RebuildReport) -> [RebuildFinding] { report.findings.filter { $0.kind.isDamage } }

    private func rebuild(with keyring: Keyring) async throws -> RebuildReport {
        let writer = BlockingPool(name: "builder", threads: 1)
        let builder = try await SQLiteCatalogBuilder.begin(path: scratch.catalogPath + ".rebuilding", pool: writer)
        let bar = RebuildBar(isShown: StandardError.isTerminal)
        do {
            let report = try await CatalogRebuild(
                store: blobs, keyring: keyring, builder: builder, compute: compute, clock: clock, random: SystemRandomBytes(),
                progress: { bar.show($0) }
            ).run()
            bar.end()
            // A first attempt's goes aside, and away with the scratch directory.
            _ = try await SQLiteCatalogBuilder.putInPlace(
                builder.path, at: scratch.catalogPath, keepingAs: "\(scratch.catalogPath).first", pool: writer)
            await writer.shutdown()
            return report
        } catch {
            bar.end()
            await builder.abandon()
            await writer.shutdown()
            throw error
        }
    }
}
