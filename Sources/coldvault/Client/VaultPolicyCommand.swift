// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import VaultClient

/// `coldvault vault policy …`
struct VaultPolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Show, set and delete the access policy of a vault.",
        subcommands: [Get.self, Set.self, Delete.self])
}

extension VaultPolicyCommand {
    struct Get: VaultVerb {
        static let configuration = CommandConfiguration(abstract: "Print the access policy, as it was set.")

        @OptionGroup var vault: VaultArgument
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            let policy = try await session.client.vaultAccessPolicy(vault: name)
            try session.show(["Policy": .string(policy)]) { TextTable.printableLines(policy) }
        }
    }

    struct Set: VaultVerb {
        static let configuration = CommandConfiguration(
            abstract: "Set the access policy; it takes the place of the one before.",
            discussion: "Check it first: coldvault policy check --kind vault --vault-arn ARN --file FILE")

        @OptionGroup var vault: VaultArgument
        @OptionGroup var policy: PolicyFileOption
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            let text = try policy.text()
            try await session.client.setVaultAccessPolicy(text, vault: name)
            try session.show(["VaultName": .string(name)]) { "Vault '\(name)' has this access policy now." }
        }
    }

    struct Delete: VaultVerb {
        static let configuration = CommandConfiguration(
            abstract: "Delete the access policy. Succeeds also when there is none.")

        @OptionGroup var vault: VaultArgument
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            try await session.client.deleteVaultAccessPolicy(vault: name)
            try session.show(["VaultName": .string(name)]) { "Vault '\(name)' has no access policy." }
        }
    }
}
