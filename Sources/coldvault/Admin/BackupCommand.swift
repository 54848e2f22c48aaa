// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import Foundation

/// `coldvault backup …`
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy the catalog and the keyring of the running service.",
        subcommands: [Create.self])
}

extension BackupCommand {
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a consistent copy of the catalog and, separately, of the keyring.",
            discussion:
                "Never copy catalog.sqlite of a running service yourself: without its write-ahead log the copy is torn."
        )

        @Option(
            name: [.customLong("output-dir"), .customLong("to")], help: "Existing directory on the service's machine.")
        var outputDir: String
        @OptionGroup var options: AdminOptions

        func run() async throws {
            // The service resolves nothing against its own working directory.
            let directory = URL(filePath: outputDir).standardizedFileURL.path
            try await AdminSession.run(options) { session in
                try await session.show(.createBackup(directory: directory)) { report in
                    """
                    Catalog  \(report.cell("catalogPath"))
                    Keyring  \(report.cell("keyringPath")) (\(report.cell("keyFiles")) files)
                    Keep the two apart: whoever has the keyring and a root key can read what the blobs hold.
                    """
                }
            }
        }
    }
}
