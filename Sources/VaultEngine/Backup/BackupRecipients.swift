// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import Storage
public import VaultModel

/// To whom backups are sealed: `backup-recipients.json`, a statement signed by the service (Docs/Formats/Backup-v1.md §8), so that whoever
/// can write into the directory cannot have the next backup made out to himself.
struct BackupRecipients: Sendable {
    struct Entry: Sendable, Hashable {
        let recipient: BackupRecipient
        let created: Timestamp

        var keyID: String { Hex.encode(recipient.keyID) }
        var description: BackupKeyDescription {
            BackupKeyDescription(keyID: keyID, publicKey: Hex.encode(recipient.publicKey), created: created)
        }
    }

    private static let statementType = "backup-recipients"
    private static let maxFileBytes = 64 << 10

    /// In the order in which they were added.
    var entries: [Entry] = []

    /// What the file says; none when there is no file.
    static func load(from place: BackupPlace, keyring: Keyring) async throws -> BackupRecipients {
        let bytes: [UInt8]
        do throws(StorageError) {
            bytes = try await place.disk.readAll(place.recipientsPath, limit: maxFileBytes)
        } catch {
            guard error.code == .notFound else { throw error }
            return BackupRecipients()
        }
        do {
            return try BackupRecipients(bytes, trusted: keyring.signingPublicKeys)
        } catch {
            throw VaultError(
                .integrity,
                "\(BackupPlace.recipientsName) was not written by this service, or was changed: no backup is made out to whom it names. "
                    + "Remove the file and add your backup keys again.", cause: error)
        }
    }

    private init() {}

    private init(_ bytes: [UInt8], trusted: [[UInt8]]) throws {
        let statement = try SignedStatement(decoding: bytes)
        guard trusted.contains(statement.service), statement.type.name == Self.statementType else {
            throw FormatError.wrongIdentity("signed by \(Hex.encode(statement.service)) as \(statement.type)")
        }
        for element in statement.body["recipients"]?.arrayValue ?? [] {
            guard let key = element["publicKey"]?.stringValue.flatMap({ Hex.decode($0) }),
                let recipient = BackupRecipient(publicKey: key), let created = element["created"]?.integerValue
            else { throw FormatError.malformed("a backup recipient") }
            entries.append(Entry(recipient: recipient, created: Timestamp(milliseconds: created)))
        }
        guard entries.count <= BackupHeader.recipientCounts.upperBound else { throw FormatError.malformed("too many backup recipients") }
    }

    /// Durable on return.
    func save(to place: BackupPlace, keyring: Keyring, now: Timestamp) async throws {
        guard let type = StatementType(Self.statementType) else {
            throw VaultError(.internalFailure, "The name of a statement is none.")
        }
        let recipients = entries.map { entry -> JSONValue in
            [
                "created": .integer(entry.created.milliseconds), "publicKey": .string(Hex.encode(entry.recipient.publicKey)),
            ]
        }
        let statement = try keyring.statement(type, created: now, body: ["recipients": .array(recipients)])
        try await place.disk.replace(place.recipientsPath, with: statement.encode())
    }
}

extension VaultEngine {
    /// Seals later backups to this key, too. Idempotent; durable on return.
    /// - Parameter publicKey: 64 hexadecimal digits; the private half never comes here.
    public func addBackupKey(_ publicKey: String) async throws(VaultError) -> BackupKeyDescription {
        guard let bytes = Hex.decode(publicKey), let recipient = BackupRecipient(publicKey: bytes) else {
            throw VaultError(.invalidParameter, "publicKey must be the 64 hexadecimal digits of a backup key's public half.")
        }
        return try await vaultErrors("adding a backup key") {
            try await changeRecipients("backup:AddKey", Hex.encode(recipient.keyID)) { recipients in
                if let known = recipients.entries.first(where: { $0.recipient == recipient }) { return known.description }
                guard recipients.entries.count < BackupHeader.recipientCounts.upperBound else {
                    throw VaultError(.limitExceeded, "There are \(recipients.entries.count) backup keys already: remove one first.")
                }
                let entry = BackupRecipients.Entry(recipient: recipient, created: clock.now())
                recipients.entries.append(entry)
                return entry.description
            }
        }
    }

    /// To whom backups are sealed, in the order in which they were added.
    public func backupKeys() async throws(VaultError) -> [BackupKeyDescription] {
        try await vaultErrors("listing backup keys") {
            try await BackupRecipients.load(from: try requireBackupPlace(), keyring: keyring).entries.map(\.description)
        }
    }

    /// Later backups are not sealed to the key any more; earlier ones still open with it. Durable on return.
    public func removeBackupKey(_ keyID: String) async throws(VaultError) {
        try await vaultErrors("removing a backup key") {
            try await changeRecipients("backup:RemoveKey", keyID) { recipients in
                guard recipients.entries.contains(where: { $0.keyID == keyID }) else {
                    throw VaultError(.notFound, "There is no backup key \(keyID.prefix(64)).")
                }
                recipients.entries.removeAll { $0.keyID == keyID }
            }
        }
    }

    /// The entry is durable before the file: a key that backups are sealed to without anybody having been told must not be.
    private func changeRecipients<R>(
        _ action: String, _ keyID: String, _ change: (inout BackupRecipients) throws -> R
    ) async throws -> R {
        let place = try requireBackupPlace()
        return try await backupDesk.alone {
            var recipients = try await BackupRecipients.load(from: place, keyring: keyring)
            let before = recipients.entries
            let result = try change(&recipients)
            guard recipients.entries != before else { return result }
            try await freeingRoom {
                try await recordAct(AuditAct(.backup, action, by: .operator, on: "backup key \(keyID)"))
            }
            try await recipients.save(to: place, keyring: keyring, now: clock.now())
            return result
        }
    }

    func requireBackupPlace() throws(VaultError) -> BackupPlace {
        guard let backupPlace else { throw VaultError(.internalFailure, "This service was put together without a place for backups.") }
        return backupPlace
    }
}
