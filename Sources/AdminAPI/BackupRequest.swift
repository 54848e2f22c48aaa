// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
public import VaultEngine
import VaultModel

/// What an operator asks about backups: a family of ``AdminRequest``.
public enum BackupRequest: Sendable, Hashable {
    /// Into an existing directory of the service's machine, named by its absolute path.
    case create(directory: String, BackupSelection)
    /// Later backups are sealed to this public key (64 hexadecimal digits), too.
    case addKey(publicKey: String)
    case listKeys
    /// By its id, 32 hexadecimal digits.
    case removeKey(String)

    var verb: String {
        switch self {
        case .create: "create-backup"
        case .addKey: "add-backup-key"
        case .listKeys: "list-backup-keys"
        case .removeKey: "remove-backup-key"
        }
    }

    var body: JSONValue {
        switch self {
        case .create(let directory, let selection): ["directory": .string(directory), "only": .string(selection.rawValue)]
        case .addKey(let publicKey): ["publicKey": .string(publicKey)]
        case .listKeys: [:]
        case .removeKey(let id): ["keyId": .string(id)]
        }
    }

    var subject: String? {
        switch self {
        case .create(let directory, _): directory
        case .addKey(let publicKey): String(publicKey.prefix(64))
        case .listKeys: nil
        case .removeKey(let id): String(id.prefix(64))
        }
    }

    /// Nil for another family's verb.
    init?(verb: String, _ members: AdminMembers) throws(VaultError) {
        switch verb {
        case "create-backup":
            let only = try members.optionalText("only") ?? BackupSelection.all.rawValue
            guard let selection = BackupSelection(rawValue: only) else {
                throw VaultError(.invalidParameter, "only must be all, catalog or keyring.")
            }
            self = .create(directory: try members.absolutePath("directory"), selection)
        case "add-backup-key": self = .addKey(publicKey: try members.text("publicKey"))
        case "list-backup-keys": self = .listKeys
        case "remove-backup-key": self = .removeKey(try members.text("keyId"))
        default: return nil
        }
    }

    func answer(_ operations: any AdminOperations) async throws(VaultError) -> JSONValue {
        switch self {
        case .create(let directory, let selection):
            return .answer(try await operations.createBackup(in: directory, selection))
        case .addKey(let publicKey): return .answer(try await operations.addBackupKey(publicKey))
        case .listKeys: return .array(try await operations.backupKeys().map(JSONValue.answer))
        case .removeKey(let id):
            try await operations.removeBackupKey(id)
            return ["keyId": .string(id), "state": "removed"]
        }
    }
}

extension JSONValue {
    static func answer(_ report: BackupReport) -> JSONValue {
        [
            "catalogBytes": .count(report.catalogBytes), "catalogPath": .text(report.catalogPath),
            "created": .string(report.created.iso8601Milliseconds), "generation": .count(report.generation),
            "keyFiles": .integer(Int64(report.keyFiles)), "keyringPath": .text(report.keyringPath),
            "recipients": .array(report.recipients.map { .string($0) }),
        ]
    }

    static func answer(_ key: BackupKeyDescription) -> JSONValue {
        [
            "created": .string(key.created.iso8601Milliseconds), "keyId": .string(key.keyID), "publicKey": .string(key.publicKey),
        ]
    }
}
