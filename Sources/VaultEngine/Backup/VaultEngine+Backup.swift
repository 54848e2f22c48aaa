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
}

extension VaultEngine {
    /// Sealed copies of the catalog and, in a file of its own, of the keyring: keep the two apart. The service goes on meanwhile, its writes
    /// too. Durable on return; what stands under a final name is whole.
    /// - Parameter directory: an existing one on the service's machine; a temporary plain copy is never there.
    public func createBackup(
        in directory: String, _ selection: BackupSelection = .all
    ) async throws(VaultError) -> BackupReport {
        try await createBackup(in: directory, selection, by: .operator)
    }

    func createBackup(
        in directory: String, _ selection: BackupSelection = .all, by actor: AuditActor
    ) async throws(VaultError) -> BackupReport {
        guard directory.hasPrefix("/") else {
            throw VaultError(.invalidParameter, "Give the backup directory as an absolute path; \(directory) is relative.")
        }
        return try await vaultErrors("making a backup") {
            let place = try requireBackupPlace()
            return try await backupDesk.alone { try await makeBackup(in: directory, selection, place, actor) }
        }
    }

    private func makeBackup(
        in directory: String, _ selection: BackupSelection, _ place: BackupPlace, _ actor: AuditActor
    ) async throws -> BackupReport {
        let recipients = try await BackupRecipients.load(from: place, keyring: keyring).entries
        guard !recipients.isEmpty else {
            throw VaultError(
                .invalidParameter, "There is no backup key to seal backups to. Make one: coldvault backup key create.")
        }
        // Before a byte is written: a copy that nobody is told of must not be. What was written is entered when it is.
        try await freeingRoom {
            try await recordAct(
                AuditAct(
                    .backup, "backup:Create", by: actor, on: directory,
                    [
                        "selection": .string(selection.rawValue),
                        "recipients": .array(recipients.map { .string($0.keyID) }),
                    ]))
        }
        let generation = try await checkpointForBackup(selection)
        let now = clock.now()
        let writer = BackupWriter(
            engine: self, disk: place.disk, recipients: recipients.map(\.recipient), generation: generation, created: now)
        let stamp = now.iso8601Milliseconds.filter { $0 != ":" && $0 != "-" && $0 != "." }
        var keyringName: String?
        var keyFiles = 0
        if selection != .catalog {
            let name = "keyring-\(stamp).cvbackup"
            // Noted first: a receipt that names a copy that was never finished errs on the right side.
            let files = try await keyringFiles(place)
            keyFiles = files.count - Self.filesBesideKeys.count
            try await noteKeyring(path: "\(directory)/\(name)", keyFiles: keyFiles, at: now, by: actor)
            try await writeKeyring(files, with: writer, to: directory, name: name)
            keyringName = name
        }
        var catalogName: String?
        var catalogBytes: UInt64 = 0
        if selection != .keyring {
            let name = "catalog-\(stamp)-\(Self.twentyDigits(generation)).cvbackup"
            catalogBytes = try await writeCatalog(with: writer, place, to: directory, name: name)
            let audit = try audit(
                AuditAct(
                    .backup, "backup:WriteCatalog", by: actor, on: "\(directory)/\(name)",
                    ["bytes": .integer(Int64(clamping: catalogBytes)), "generation": .integer(Int64(clamping: generation))]))
            try await freeingRoom { try await catalog.setFact(BackupFacts.newestCatalog, String(now.milliseconds), audit: audit) }
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

    /// A checkpoint that the catalog's copy carries, so that a restore knows where it stood. While catalog and blobs are of different
    /// histories there is none, and a backup is wanted all the more.
    private func checkpointForBackup(_ selection: BackupSelection) async throws -> UInt64 {
        guard selection != .keyring, checkpoints.history.isConsistent else {
            return CheckpointMark(try await catalog.fact(Self.checkpointFact))?.generation ?? 0
        }
        return try await checkpoint(.backup).generation
    }

    private static let filesBesideKeys = ["format.json", BackupPlace.recipientsName]

    private func keyringFiles(_ place: BackupPlace) async throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for (name, bytes) in try await keyring.fileContents() { files["keys/\(name)"] = bytes }
        for name in Self.filesBesideKeys {
            files[name] = try await place.disk.readAll("\(place.directory)/\(name)", limit: 64 << 10)
        }
        return files
    }

    private func writeKeyring(
        _ files: [String: [UInt8]], with writer: BackupWriter, to directory: String, name: String
    ) async throws {
        let bytes = try KeyringBackup(files: files).encode()
        _ = try await writer.write(.keyring, to: directory, name: name, payloadBytes: UInt64(bytes.count)) { range in
            ByteBuffer(bytes: bytes[Int(range.lowerBound)..<Int(range.upperBound)])
        }
    }

    /// Remembers that a copy of the keys is about: who destroys a key must know what could still open it.
    private func noteKeyring(path: String, keyFiles: Int, at now: Timestamp, by actor: AuditActor) async throws {
        let stored = try await catalog.fact(BackupFacts.keyrings) ?? "[]"
        var backups = (try? JSONParser.parse(Array(stored.utf8)))?.arrayValue ?? []
        backups.append([
            "created": .integer(now.milliseconds), "keyFiles": .integer(Int64(keyFiles)), "path": .string(path),
        ])
        backups.removeFirst(max(0, backups.count - BackupFacts.maxKeyrings))
        let text = JSONValue.array(backups).canonicalString()
        let audit = try audit(
            AuditAct(.backup, "backup:WriteKeyring", by: actor, on: path, ["keyFiles": .integer(Int64(keyFiles))]))
        try await freeingRoom { try await catalog.setFact(BackupFacts.keyrings, text, audit: audit) }
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
