// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import VaultClient

/// `coldvault archive …`
struct ArchiveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "archive", abstract: "Upload, retrieve and delete archives of a Glacier service.",
        subcommands: [
            ArchiveUploadCommand.self, ArchiveRetrieveCommand.self, Delete.self, ArchivePurgeCommand.self, ArchiveDamagedCommand.self,
        ])

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete an archive. Succeeds also when it was deleted before.")

        @OptionGroup var vault: VaultOption
        @Option(name: .customLong("archive-id"), parsing: .unconditional, help: "Id of the archive.")
        var archiveID: String
        @OptionGroup var options: ClientOptions

        func run() async throws {
            let (name, id) = (vault.vault, archiveID)
            try await ClientSession.run(options) { session in
                try await session.client.deleteArchive(vault: name, archiveID: id)
                try session.show(.object(["ArchiveId": .string(id), "VaultName": .string(name)])) {
                    "The archive is deleted."
                }
            }
        }
    }
}
