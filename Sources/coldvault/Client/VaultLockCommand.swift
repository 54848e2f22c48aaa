// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import VaultClient

/// `coldvault vault lock …`
struct VaultLockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lock", abstract: "Lock a vault with a policy that nobody can change, in two steps.",
        discussion: """
            initiate puts the policy in force for 24 hours: try whether it does what it should. Then complete makes it \
            permanent, or abort removes it. A completed lock cannot be undone by anyone, the operator included.
            """,
        subcommands: [Initiate.self, Complete.self, Abort.self, Get.self])
}

extension VaultLockCommand {
    struct Initiate: VaultVerb {
        static let configuration = CommandConfiguration(
            abstract: "Put a lock policy in force for 24 hours; prints the lock id that completes it.",
            discussion: "Check it first: coldvault policy check --kind lock --vault-arn ARN --file FILE")

        @OptionGroup var vault: VaultArgument
        @OptionGroup var policy: PolicyFileOption
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            let text = try policy.text()
            let id = try await session.client.initiateVaultLock(policy: text, vault: name)
            try session.show(["LockId": .string(id), "VaultName": .string(name)]) {
                """
                Lock id: \(id)
                The policy is in force for 24 hours. Make it permanent:
                coldvault vault lock complete \(name) --lock-id \(id)
                """
            }
        }
    }

    struct Complete: VaultVerb {
        static let configuration = CommandConfiguration(
            abstract: "Make the lock permanent. Nobody can undo this. Completing again succeeds.")

        @OptionGroup var vault: VaultArgument
        @Option(name: .customLong("lock-id"), parsing: .unconditional, help: "Lock id that initiate printed.")
        var lockID: String
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            try await session.client.completeVaultLock(lockID: lockID, vault: name)
            try session.show(["VaultName": .string(name)]) { "Vault '\(name)' is locked." }
        }
    }

    struct Abort: VaultVerb {
        static let configuration = CommandConfiguration(
            abstract: "Remove a lock that is not completed. Succeeds also when there is none.")

        @OptionGroup var vault: VaultArgument
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            try await session.client.abortVaultLock(vault: name)
            try session.show(["VaultName": .string(name)]) { "Vault '\(name)' has no lock." }
        }
    }

    struct Get: VaultVerb {
        static let configuration = CommandConfiguration(abstract: "Show the lock: its state, dates and policy.")

        @OptionGroup var vault: VaultArgument
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            let lock = try await session.client.vaultLock(vault: name)
            try session.show(lock.document.value) {
                """
                State    \(TextTable.printable(lock.state))
                Created  \(TextTable.printable(lock.creationDate))
                Expires  \(TextTable.printable(lock.expirationDate ?? "never"))

                \(TextTable.printableLines(lock.policy))
                """
            }
        }
    }
}
