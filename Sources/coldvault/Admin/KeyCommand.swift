// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import VaultModel

/// `coldvault key …`
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "List, rotate, re-wrap and destroy the encryption keys of the running service.",
        subcommands: [List.self, Rotate.self, Rewrap.self, Evidence.self, Destroy.self, DestroyCancel.self])
}

extension KeyCommand {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the versions of the master key and of all vault keys.")

        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { session in
                try await session.show(.listKeys, table: Self.tables)
            }
        }

        private static func tables(_ listing: JSONValue) -> String {
            var master = TextTable([
                ("MASTER KEY", .right), ("STATE", .left), ("REFERENCES", .right), ("CREATED", .left),
                ("ROOT SLOTS", .left),
            ])
            for key in listing["masterKeys"]?.arrayValue ?? [] {
                let slots = (key["slots"]?.arrayValue ?? []).compactMap(\.stringValue).joined(separator: ", ")
                master.add([key.cell("version"), key.cell("state"), key.cell("references"), key.cell("created"), slots])
            }
            var vaults = TextTable([
                ("VAULT KEY", .right), ("STATE", .left), ("VAULT", .left), ("REGION", .left), ("ACCOUNT", .left),
                ("REFERENCES", .right), ("UNDER MASTER KEY", .right), ("CREATED", .left),
            ])
            for key in listing["vaultKeys"]?.arrayValue ?? [] {
                vaults.add([
                    key.cell("version"), key.cell("state"), key.cell("vault"), key.cell("region"), key.cell("accountId"),
                    key.cell("references"), key.cell("masterKeyVersion"), key.cell("created"),
                ])
            }
            var service = TextTable([
                ("SERVICE KEY", .left), ("VERSION", .right), ("CREATED", .left), ("PUBLIC KEY", .left),
            ])
            for (name, member) in [("signing", "signingKeys"), ("audit", "auditKeys")] {
                for key in listing[member]?.arrayValue ?? [] {
                    service.add([name, key.cell("version"), key.cell("created"), key.cell("publicKey")])
                }
            }
            return [master.text, vaults.text, service.text].joined(separator: "\n\n")
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Make a new version of the master key and re-wrap all vault keys under it; with --vault, of that vault's key."
        )

        @Option(help: "Rotate the key of this vault instead: new archives use the new version.")
        var vault: String?
        @Option(name: .customLong("account-id"), help: "Account of the vault; may be left out when there is only one.")
        var accountID: String?
        @Option(help: "Region of the vault.")
        var region: String?
        @OptionGroup var options: AdminOptions

        func validate() throws {
            guard vault != nil || (accountID == nil && region == nil) else {
                throw ValidationError("--account-id and --region belong to --vault.")
            }
        }

        func run() async throws {
            try await AdminSession.run(options) { session in
                guard let vault else {
                    return try await session.show(.rotateMasterKey) { report in
                        "Master key version \(report.cell("newVersion")): \(report.cell("rewrappedVaultKeys")) vault keys re-wrapped, "
                            + "\(report.cell("resealedAccounts")) account records sealed again. Copy the keyring: coldvault backup create."
                    }
                }
                let location = try await session.location(vault: vault, account: accountID, region: region)
                try await session.show(.rotateVaultKey(location)) { report in
                    "Vault key version \(report.cell("newVersion")) of '\(vault)': new archives use it."
                }
            }
        }
    }
}
