// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import VaultModel

/// `coldvault account …`
struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Create, list, disable and enable accounts of the running service.",
        subcommands: [Create.self, List.self, Disable.self, Enable.self])
}

extension AccountCommand {
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create an account and its first access key; prints the secret once.")

        @Option(name: .customLong("account-id"), help: "Account number: twelve digits. Default: a random one.")
        var accountID: String?
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let account = try accountID.map(AccountArgument.account)
            try await AdminSession.run(options) { session in
                try await session.show(.createAccount(account), table: \.newKeyText)
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all accounts.")

        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { session in
                try session.show(.array(try await session.client.accounts())) { document in
                    var table = TextTable([("ACCOUNT", .left), ("STATE", .left), ("CREATED", .left)])
                    for account in document.arrayValue ?? [] {
                        table.add([account.cell("accountId"), account.cell("state"), account.cell("created")])
                    }
                    return table.text
                }
            }
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse all requests of an account, from the next one on. Nothing that is stored is touched.")

        @Argument(help: "Account number.")
        var account: String
        @OptionGroup var options: AdminOptions

        func run() async throws { try await AccountCommand.set(account, active: false, options) }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Accept the requests of a disabled account again.")

        @Argument(help: "Account number.")
        var account: String
        @OptionGroup var options: AdminOptions

        func run() async throws { try await AccountCommand.set(account, active: true, options) }
    }

    private static func set(_ text: String, active: Bool, _ options: AdminOptions) async throws {
        let account = try AccountArgument.account(text)
        try await AdminSession.run(options) { session in
            try await session.show(.setAccount(account, active: active)) { document in
                "Account \(account) is \(document.cell("state"))."
            }
        }
    }
}
