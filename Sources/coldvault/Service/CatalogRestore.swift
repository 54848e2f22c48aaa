// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import FileKeyCustody
import Foundation
import NIOCore
import PosixDisk
import SQLiteCatalog
import SealedArchive
import Storage
import VaultEngine
import VaultModel

/// Puts the catalog of a backup in place.
///
///     extract ▶ check ▶ compare with catalog and blobs ▶ exchange
///
/// Nothing of the directory changes before the last step but a file `catalog.sqlite.restoring`, and that step is one rename: a kill at any
/// moment leaves the old catalog or the new one, whole. Running it again is always right.
struct CatalogRestore {
    let directory: DataDirectory
    let backup: OpenedBackup
    let privateKey: SecretKey
    let root: SecretKey
    let allowOlder: Bool
    let now: Timestamp

    private var restoringPath: String { "\(directory.catalogPath).restoring" }

    /// What is in the way of a restore.
    private enum Present {
        case none, damaged(String), generation(UInt64)
    }

    func run() async throws -> JSONValue {
        let random = SystemRandomBytes()
        let keyring = try await Keyring.open(
            files: directory.keyFiles(), root: FileKeyCustody(rootKey: root, random: random), random: random,
            recoveryCustody: { RecoveryKeyCustody(recoveryKey: $0, random: random) })
        try backup.requireService(keyring.signingPublicKeys)
        try await removeRestoring()
        do {
            let report = try await restore(keyring)
            try await removeRestoring()
            return report
        } catch {
            // The first error is the one to tell; the next restore removes the file, too.
            try? await removeRestoring()
            throw error
        }
    }

    private func restore(_ keyring: Keyring) async throws -> JSONValue {
        try await backup.extractCatalog(privateKey: privateKey, to: restoringPath, in: directory.path)
        let store = directory.coldStore(reserveBytes: 0)
        let blobs = try await CheckpointNames.newest(in: store)
        let (facts, difference, isIdle) = try await look(at: restoringPath) { catalog in
            try await catalog.checkIntegrity()
            let isIdle = try await CheckpointGap(cold: store, keyring: keyring).isIdle(catalog, newest: blobs ?? 0)
            return (try await CatalogFacts.read(catalog), try await CatalogDifference.measure(catalog, store), isIdle)
        }
        let present = try await presentCatalog()
        // What lies between are checkpoints alone, such as the one of the service's stop.
        try refuseOlder(isIdle ? max(blobs ?? 0, facts.generation) : facts.generation, present, blobs: blobs, difference)
        try await noteForAudit(facts)
        let kept = try await putInPlace(present)
        return [
            "archives": .integer(Int64(facts.totals.archives)), "blobGeneration": blobs.map { .integer(Int64(clamping: $0)) } ?? .null,
            "created": .string(
                Timestamp(milliseconds: Int64(clamping: backup.file.header.createdMilliseconds)).iso8601Milliseconds),
            "deletedArchives": .integer(Int64(difference.deleted)), "generation": .integer(Int64(clamping: facts.generation)),
            "goneArchives": .integer(Int64(difference.gone)), "kept": kept.map { .string($0) } ?? .null, "kind": "catalog",
            "missingArchives": .integer(Int64(difference.missing)),
            "next": .string(
                difference.isNone
                    ? "The catalog and the blobs agree about every archive."
                    : "The blobs know more than this catalog: before you serve, run coldvault catalog rebuild --replace, which loses nothing but jobs."),
            "restored": .string(directory.catalogPath), "vaults": .integer(Int64(facts.totals.vaults)),
        ]
    }

    /// Opens a catalog of the directory, which nobody else has open, and leaves it without a write-ahead log.
    private func look<R: Sendable>(at path: String, _ body: (SQLiteCatalog) async throws -> R) async throws -> R {
        let catalog = try await SQLiteCatalog.open(path: path)
        let result: Result<R, any Error>
        do {
            result = .success(try await body(catalog))
        } catch {
            result = .failure(error)
        }
        await catalog.close()
        return try result.get()
    }

    /// The service enters it into the audit log when it starts with this catalog.
    private func noteForAudit(_ facts: CatalogFacts) async throws {
        let details: [String: JSONValue] = [
            "backup": .string(backup.file.path), "backupMade": .integer(Int64(clamping: backup.file.header.createdMilliseconds)),
            "generation": .integer(Int64(clamping: facts.generation)), "restored": .integer(now.milliseconds),
        ]
        try await look(at: restoringPath) {
            try await $0.setFact(
                VaultEngine.offlineActFact, VaultEngine.offlineAct("backup:RestoreCatalog", details), audit: .none)
        }
    }

    private func presentCatalog() async throws -> Present {
        guard try await directory.disk.size(of: directory.catalogPath) != nil else { return .none }
        do {
            return .generation(try await look(at: directory.catalogPath) { try await CatalogFacts.read($0).generation })
        } catch let error as StorageError where error.code == .integrity {
            return .damaged(error.message)
        } catch let error as StorageError where error.code == .unusable {
            // A catalog of a newer version is one; a file that does not even begin as a catalog is damaged.
            guard try await !beginsAsCatalog() else { throw error }
            return .damaged(error.message)
        }
    }

    /// Whether the file has the application id of a catalog (Docs/Formats/DataDirectory-v1.md) where SQLite keeps it.
    private func beginsAsCatalog() async throws -> Bool {
        let id = 68..<UInt64(72)
        guard let bytes = try await directory.disk.size(of: directory.catalogPath), bytes >= id.upperBound else { return false }
        return try await directory.disk.read(directory.catalogPath, range: id).readableBytesView.elementsEqual(Array("CVLT".utf8))
    }

    private func refuseOlder(_ generation: UInt64, _ present: Present, blobs: UInt64?, _ difference: CatalogDifference) throws {
        var reasons: [String] = []
        if case .generation(let there) = present, there > generation {
            reasons.append("the catalog that is there has generation \(there)")
        }
        if let blobs, blobs > generation { reasons.append("the blobs have seen generation \(blobs)") }
        if difference.missing > 0 { reasons.append("it lacks \(difference.missing) archives that are in blobs/") }
        if difference.deleted + difference.gone > 0 {
            reasons.append("it still lists \(difference.deleted + difference.gone) archives that are deleted or gone")
        }
        guard !reasons.isEmpty, !allowOlder else { return }
        throw OperatorError(
            "The backup is older than what is there: it has generation \(generation); \(reasons.joined(separator: "; ")). Nothing was changed. "
                + "To lose nothing, run coldvault catalog rebuild instead; to restore this catalog all the same, give --allow-older.")
    }

    /// The path of what was there; nil when there was nothing.
    private func putInPlace(_ present: Present) async throws -> String? {
        let stamp = now.iso8601Milliseconds.filter { $0 != ":" && $0 != "-" && $0 != "." }
        let old = "\(directory.catalogPath).before-restore-\(stamp)"
        let log = "\(directory.catalogPath)-wal"
        // A log that stays beside another database would be read into it.
        if let bytes = try await directory.disk.size(of: log), bytes > 0 {
            switch present {
            case .generation:
                throw OperatorError("\(log) is not empty though the catalog was closed; does another process have it open? Nothing was changed.")
            case .none, .damaged: try await directory.disk.exchange(log, for: "\(old)-wal", keeping: "\(old)-wal.before")
            }
        }
        for suffix in ["-wal", "-shm"] { try await directory.disk.remove(directory.catalogPath + suffix) }
        try await directory.disk.exchange(restoringPath, for: directory.catalogPath, keeping: old)
        if case .none = present { return nil }
        return old
    }

    private func removeRestoring() async throws {
        for suffix in ["", "-wal", "-shm", "-journal"] { try await directory.disk.remove(restoringPath + suffix) }
    }
}

/// The checkpoints that lie among the blobs.
enum CheckpointNames {
    private static let prefix = "service/checkpoint-"

    /// The highest generation; nil when there is none.
    static func newest(in store: any BlobStore) async throws -> UInt64? {
        var newest: UInt64?
        var after: BlobID?
        while true {
            let page = try await store.list(prefix: prefix, after: after, limit: 1000)
            for entry in page {
                guard let generation = UInt64(entry.id.name.dropFirst(prefix.count)) else { continue }
                newest = max(newest ?? 0, generation)
            }
            guard page.count == 1000 else { return newest }
            after = page.last?.id
        }
    }
}
