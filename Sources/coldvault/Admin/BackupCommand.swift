// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import Foundation
import VaultEngine

/// `coldvault backup …`
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Make, check and restore backups of the catalog and the keyring.",
        discussion: """
            Backups are sealed to backup keys: the service keeps their public halves only, so that neither a stolen backup nor a stolen \
            disk opens one. Keep the private half off the machine, as you keep the root key.
            """,
        subcommands: [Create.self, Verify.self, Restore.self, Key.self])
}

extension BackupCommand {
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make consistent, sealed copies of the catalog and, in a file of its own, of the keyring.",
            discussion:
                "Never copy catalog.sqlite of a running service yourself: without its write-ahead log the copy is torn."
        )

        @Option(
            name: [.customLong("output-dir"), .customLong("to")], help: "Existing directory on the service's machine.")
        var outputDir: String
        @Option(help: "catalog or keyring alone; else both.")
        var only: Only?
        @OptionGroup var options: AdminOptions

        enum Only: String, ExpressibleByArgument {
            case catalog, keyring

            var selection: BackupSelection { self == .catalog ? .catalog : .keyring }
        }

        func run() async throws {
            // The service resolves nothing against its own working directory.
            let directory = URL(filePath: outputDir).standardizedFileURL.path
            try await AdminSession.run(options) { session in
                try await session.show(.backup(.create(directory: directory, only?.selection ?? .all))) { report in
                    """
                    Catalog     \(report.cell("catalogPath"))
                    Generation  \(report.cell("generation"))
                    Keyring     \(report.cell("keyringPath")) (\(report.cell("keyFiles")) key files)
                    Sealed to   \((report["recipients"]?.arrayValue ?? []).compactMap(\.stringValue).joined(separator: ", "))
                    Keep catalog and keyring apart, and the backup key away from both.
                    """
                }
            }
        }
    }

    /// `coldvault backup key …`
    struct Key: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make, list and remove the keys that backups are sealed to.",
            subcommands: [CreateKey.self, ListKeys.self, RemoveKey.self])
    }

    struct CreateKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create", abstract: "Make a backup key; its private half is shown once.",
            discussion: """
                The key is made here, on this side of the socket; the service gets the public half. Later backups can be opened with any \
                of the keys that are listed when they are made. To replace a key, create one and remove the other; earlier backups still \
                need the one that they were sealed to.
                """)

        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { session in
                let key = try NewBackupKey()
                let answer = try await session.client.send(.backup(.addKey(publicKey: key.publicKey)))
                let document = JSONValue.object(
                    (answer.objectValue ?? [:]).merging(["privateKey": .string(key.text)]) { first, _ in first })
                try session.show(document) { key in
                    """
                    Backup key id  \(key.cell("keyId"))
                    Public half    \(key.cell("publicKey"))
                    Private half   \(key.cell("privateKey"))
                    The private half is not shown again. Write it down, away from this machine: backups open with nothing else.
                    """
                }
            }
        }
    }

    struct ListKeys: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the keys that backups are sealed to.")

        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { session in
                try await session.show(.backup(.listKeys)) { keys in
                    var table = TextTable([("BACKUP KEY", .left), ("CREATED", .left), ("PUBLIC HALF", .left)])
                    for key in keys.arrayValue ?? [] {
                        table.add([key.cell("keyId"), key.cell("created"), key.cell("publicKey")])
                    }
                    return table.text
                }
            }
        }
    }

    struct RemoveKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Seal later backups to one key less; earlier ones still open with it.")

        @Argument(help: "The key's id: 32 hexadecimal digits.")
        var keyID: String
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { session in
                try await session.show(.backup(.removeKey(keyID))) { "Backup key \($0.cell("keyId")) is removed." }
            }
        }
    }
}
