// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import VaultModel

/// `coldvault archive purge`: an operator's command, through the admin socket.
struct ArchivePurgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Operator: destroy the bytes of a deleted archive now instead of after its grace; prints the signed receipt.",
        discussion: "Talks to the admin socket of the running service. Refused for archives that are not deleted and in locked vaults.")

    @Option(help: "Name of the vault.")
    var vault: String
    @Option(name: .customLong("account-id"), help: "Account of the vault; may be left out when there is only one.")
    var accountID: String?
    @Option(help: "Region of the vault.")
    var region: String
    @Option(name: .customLong("archive-id"), parsing: .unconditional, help: "Id of the archive.")
    var archiveID: String
    @Flag(help: "Destroy nothing: print the receipt of an archive that was purged before.")
    var receipt = false
    @OptionGroup var options: AdminOptions

    func run() async throws {
        try await AdminSession.run(options) { session in
            let location = try await session.location(vault: vault, account: accountID, region: region)
            // The receipt is evidence: people, too, get it as it was signed.
            try await session.show(
                .key(receipt ? .purgeReceipt(location, archiveID: archiveID) : .purgeArchive(location, archiveID: archiveID))
            ) { $0.cell("receipt") }
        }
    }
}
