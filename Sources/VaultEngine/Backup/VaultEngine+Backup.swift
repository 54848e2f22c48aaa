// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import SealedArchive
import Storage
public import VaultModel

/// Facts of the catalog about backups.
enum BackupFacts {
    /// Milliseconds of the newest catalog backup.
    static let newestCatalog = "backup_catalog_newest"
    /// The keyring backups that were made: a JSON array of `{"created", "keyFiles", "path"}`, oldest first. What was destroyed since
    /// may still be in them, as receipts say.
    static let keyrings = "backup_keyrings"
    static let maxKeyrings = 200
    /// Of the newest checkpoint.
    static let generation = "checkpoint_generation"
}

extension VaultEngine {
    /// Sealed copies of the catalog and, in a file of its own, of the keyring: keep the two apart. The service goes on meanwhile, its writes
    /// too. Durable on return; what stands under a final name is whole.
    /// - Parameter directory: an existing one on the service's machine; a temporary plain copy is never there.
    public func createBackup(
        in directory: String, _ selection: BackupSelection = .all
    ) async throws(VaultError) -> BackupReport {
        guard directory.hasPrefix("/") else {
            throw VaultError(.invalidParameter, "Give the backup directory as an absolute path; \(directory) is relative.")
        }
        return try await vaultErrors("making a backup") {
            let place = try requireBackupPlace()
            return try await backupDesk.alone { try await makeBackup(in: directory, selection, place) }
        }
    }

    private func makeBackup(
        in directory: String, _ selection: BackupSelection, _ place: BackupPlace
    ) async throws -> BackupReport {
        let recipients = try await BackupRecipients.load(from: place, keyring: keyring).entries
        guard !recipients.isEmpty else {
            throw VaultError(
                .invalidParameter, "There is no backup key to seal backups to. Make one: coldvault backup key create.")
        }
        let generation = try await catalog.fact(BackupFacts.generation).flatMap { UInt64($0) } ?? 0
        let now = clock.now()
        let writer = BackupWriter(
            engine: self, disk: place.disk, recipients: recipients.map(\.recipient), generation: generation, created: now)
        let stamp = now.iso8601Milliseconds.filter { $0 != ":" && $0 != "-" && $0 != "." }
        var keyringName: String?
        var keyFiles = 0
        if selection != .catalog {
            let name = "keyring-\(stamp).cvbackup"
            keyFiles = try await writeKeyring(with: writer, place, to: directory, name: name)
            try await noteKeyring(path: "\(directory)/\(name)", keyFiles: keyFiles, at: now)
            keyringName = name
        }
        var catalogName: String?
        var catalogBytes: UInt64 = 0
        if selection != .keyring {
            let name = "catalog-\(stamp)-\(Self.twentyDigits(generation)).cvbackup"
            catalogBytes = try await writeCatalog(with: writer, place, to: directory, name: name)
            try await freeingRoom { try await catalog.setFact(BackupFacts.newestCatalog, String(now.milliseconds), audit: .none) }
            catalogName = name
        }
        return BackupReport(
            created: now, catalogPath: catalogName.map { "\(directory)/\($0)" }, keyringPath: keyringName.map { "\(directory)/\($0)" },
            catalogBytes: catalogBytes, generation: generation, keyFiles: keyFiles, recipients: recipients.map(\.keyID))
    }

    private func writeCatalog(
        with writer: BackupWriter, _ place: BackupPlace, to directory: String, name: String
    ) async throws -> UInt64 {
        // What a crash left of an earlier one.
        try await place.removeCopy()
        do {
            try await catalog.backup(to: place.copyPath)
            let copy = try await place.disk.openFile(place.copyPath)
            let result: Result<UInt64, any Error>
            do {
                result = .success(
                    try await writer.write(
                        .catalog, to: directory, name: name, payloadBytes: try await copy.size(), read: { try await copy.read($0) }))
            } catch {
                result = .failure(error)
            }
            await copy.close()
            let bytes = try result.get()
            try await place.removeCopy()
            return bytes
        } catch {
            // The first error is the one to tell; the next backup removes the copy, too.
            try? await place.removeCopy()
            throw error
        }
    }

    private func writeKeyring(
        with writer: BackupWriter, _ place: BackupPlace, to directory: String, name: String
    ) async throws -> Int {
        var files: [String: [UInt8]] = [:]
        for (name, bytes) in try await keyring.fileContents() { files["keys/\(name)"] = bytes }
        let count = files.count
        for name in ["format.json", BackupPlace.recipientsName] {
            files[name] = try await place.disk.readAll("\(place.directory)/\(name)", limit: 64 << 10)
        }
        let bytes = try KeyringBackup(files: files).encode()
        _ = try await writer.write(.keyring, to: directory, name: name, payloadBytes: UInt64(bytes.count)) { range in
            ByteBuffer(bytes: bytes[Int(range.lowerBound)..<Int(range.upperBound)])
        }
        return count
    }

    /// Remembers that a copy of the keys is about: who destroys a key must know what could still open it.
    private func noteKeyring(path: String, keyFiles: Int, at now: Timestamp) async throws {
        let stored = try await catalog.fact(BackupFacts.keyrings) ?? "[]"
        var backups = (try? JSONParser.parse(Array(stored.utf8)))?.arrayValue ?? []
        backups.append([
            "created": .integer(now.milliseconds), "keyFiles": .integer(Int64(keyFiles)), "path": .string(path),
        ])
        backups.removeFirst(max(0, backups.count - BackupFacts.maxKeyrings))
        let text = JSONValue.array(backups).canonicalString()
        try await freeingRoom { try await catalog.setFact(BackupFacts.keyrings, text, audit: .none) }
    }

    /// How the backups stand.
    public func backupStatus() async throws(VaultError) -> BackupStatus {
        try await vaultErrors("looking at the backups") {
            let newest = try await catalog.fact(BackupFacts.newestCatalog).flatMap { Int64($0) }
            return BackupStatus(
                newest: newest.map { Timestamp(milliseconds: $0) }, failure: backupDesk.failure,
                interval: configuration.backupSchedule?.interval)
        }
    }

    private static func twentyDigits(_ number: UInt64) -> String {
        let text = String(number)
        return String(repeating: "0", count: 20 - text.utf8.count) + text
    }
}
