// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON

/// `coldvault vault-settings …`
struct VaultSettingsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vault-settings", abstract: "Change what the Glacier API has no words for.",
        subcommands: [Set.self])
}

/// The choices of `--compression`.
enum CompressionChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case lz4
    case none
    case `default`
}

extension VaultSettingsCommand {
    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Choose how a vault stores new archives.")

        @Option(help: "Name of the vault.")
        var vault: String
        @Option(name: .customLong("account-id"), help: "Account of the vault; may be left out when there is only one.")
        var accountID: String?
        @Option(help: "Region of the vault.")
        var region: String
        @Option(help: "lz4, none, or default: as the service is configured. Archives already stored stay as they are.")
        var compression: CompressionChoice
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { session in
                let location = try await session.location(vault: vault, account: accountID, region: region)
                let choice = compression == .default ? nil : compression.rawValue
                try await session.show(.setVaultCompression(location, choice)) { _ in
                    "New archives in '\(vault)': compression \(compression.rawValue)."
                }
            }
        }
    }
}
