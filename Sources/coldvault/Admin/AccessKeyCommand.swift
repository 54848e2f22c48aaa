// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import VaultModel

/// `coldvault access-key …`
struct AccessKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "access-key",
        abstract: "Create, list, disable, enable and delete access keys of the running service.",
        subcommands: [Create.self, List.self, Disable.self, Enable.self, Delete.self])
}

extension AccessKeyCommand {
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create another access key of an account or of one of its users; prints the secret once.")

        @Option(name: .customLong("account-id"), help: "Account number.")
        var accountID: String
        @Option(help: "Name of the user whose key it is. Left out: the account's root, who may do everything.")
        var user: String?
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let account = try AccountArgument.account(accountID)
            let user = try user.map(UserArgument.user)
            try await AdminSession.run(options) { session in
                try await session.show(.createAccessKey(account, user: user), table: \.newKeyText)
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the access keys of one account, or of all. Never their secrets.")

        @Option(name: .customLong("account-id"), help: "Only the keys of this account.")
        var accountID: String?
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let chosen = try accountID.map(AccountArgument.account)
            try await AdminSession.run(options) { session in
                var keys: [JSONValue] = []
                for account in try await session.accounts(chosen) {
                    keys += try await session.client.send(.listAccessKeys(account)).arrayValue ?? []
                }
                try session.show(.array(keys)) { document in
                    var table = TextTable([
                        ("ACCESS KEY", .left), ("ACCOUNT", .left), ("USER", .left), ("STATE", .left),
                        ("CREATED", .left),
                    ])
                    for key in document.arrayValue ?? [] {
                        table.add([
                            key.cell("accessKeyId"), key.cell("accountId"), key.cell("user"), key.cell("state"),
                            key.cell("created"),
                        ])
                    }
                    return table.text
                }
            }
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse requests signed with a key, from the next one on.")

        @Argument(help: "Access key id.")
        var key: String
        @OptionGroup var options: AdminOptions

        func run() async throws { try await AccessKeyCommand.perform(.setAccessKey(key, active: false), key, options) }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Accept requests signed with a disabled key again.")

        @Argument(help: "Access key id.")
        var key: String
        @OptionGroup var options: AdminOptions

        func run() async throws { try await AccessKeyCommand.perform(.setAccessKey(key, active: true), key, options) }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Delete a key for good.")

        @Argument(help: "Access key id.")
        var key: String
        @OptionGroup var options: AdminOptions

        func run() async throws { try await AccessKeyCommand.perform(.deleteAccessKey(key), key, options) }
    }

    private static func perform(_ request: AdminRequest, _ key: String, _ options: AdminOptions) async throws {
        try await AdminSession.run(options) { session in
            try await session.show(request) { document in "Access key \(key) is \(document.cell("state"))." }
        }
    }
}
