// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import VaultClient

/// `coldvault vault …`
struct VaultCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vault",
        abstract: "Create, list, describe, tag, share, lock and delete vaults of a Glacier service.",
        subcommands: [
            Create.self, List.self, Describe.self, Delete.self, Tag.self, Untag.self, Tags.self,
            VaultPolicyCommand.self,
            VaultLockCommand.self, VaultNotificationsCommand.self, ResetAccessPolicyCommand.self,
        ])
}

extension VaultCommand {
    struct Create: VaultVerb {
        static let configuration = CommandConfiguration(abstract: "Create a vault. Succeeds also when it exists.")

        @OptionGroup var vault: VaultArgument
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            let location = try await session.client.createVault(name)
            try session.show(.object(["Location": .string(location), "VaultName": .string(name)])) {
                "Vault '\(name)' is ready."
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all vaults of the account.")

        @OptionGroup var options: ClientOptions

        func run() async throws {
            try await ClientSession.run(options) { session in
                let vaults = try await session.client.listVaults()
                try session.show(.object(["VaultList": .array(vaults.map(\.document.value))])) {
                    var table = TextTable([
                        ("NAME", .left), ("ARCHIVES", .right), ("BYTES", .right), ("CREATED", .left),
                        ("LAST INVENTORY", .left),
                    ])
                    for vault in vaults {
                        table.add([
                            vault.name, vault.archives.map(String.init) ?? "-", vault.bytes.map(String.init) ?? "-",
                            vault.creationDate, vault.lastInventoryDate ?? "-",
                        ])
                    }
                    return table.text
                }
            }
        }
    }

    struct Describe: VaultVerb {
        static let configuration = CommandConfiguration(abstract: "Show what the service tells about a vault.")

        @OptionGroup var vault: VaultArgument
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            let vault = try await session.client.describeVault(name)
            try session.show(vault.document.value) { TextTable.members(of: vault.document) }
        }
    }

    struct Delete: VaultVerb {
        static let configuration = CommandConfiguration(abstract: "Delete an empty vault.")

        @OptionGroup var vault: VaultArgument
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            try await session.client.deleteVault(name)
            try session.show(.object(["VaultName": .string(name)])) { "Vault '\(name)' is gone." }
        }
    }
}
