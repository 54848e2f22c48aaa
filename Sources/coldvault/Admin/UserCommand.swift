// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import VaultModel

/// `coldvault user …`
struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Create, list, disable, enable and delete the users of an account.",
        discussion:
            "A new user may do nothing: give it a policy (coldvault policy put), a key (coldvault access-key create).",
        subcommands: [Create.self, List.self, Disable.self, Enable.self, Delete.self])

    /// The user a command works on.
    struct Target: ParsableArguments {
        @Argument(help: "Name of the user.")
        var name: String
        @Option(name: .customLong("account-id"), help: "Account of the user; may be left out when there is only one.")
        var accountID: String?
    }

    private static func perform(
        _ target: Target, _ options: AdminOptions, _ request: (AccountID, UserName) -> AdminRequest,
        says text: (String) -> String
    ) async throws {
        let user = try UserArgument.user(target.name)
        try await AdminSession.run(options) { session in
            let account = try await session.account(target.accountID)
            try await session.show(request(account, user)) { document in text(document.cell("arn")) }
        }
    }
}

extension UserCommand {
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Create a user, who may do nothing yet.")

        @OptionGroup var target: Target
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await UserCommand.perform(target, options, { .createUser($0, $1) }) { "User \($0) is created." }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the users of an account with their policies.")

        @Option(name: .customLong("account-id"), help: "Account number; may be left out when there is only one.")
        var accountID: String?
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { session in
                let account = try await session.account(accountID)
                try await session.show(.listUsers(account)) { document in
                    var table = TextTable([("USER", .left), ("STATE", .left), ("POLICIES", .left), ("CREATED", .left)])
                    for user in document.arrayValue ?? [] {
                        let policies = (user["policies"]?.arrayValue ?? []).compactMap(\.stringValue)
                        table.add([
                            user.cell("user"), user.cell("state"),
                            policies.isEmpty ? "-" : policies.joined(separator: ", "), user.cell("created"),
                        ])
                    }
                    return table.text
                }
            }
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse all requests of a user, temporary credentials included, from the next one on.")

        @OptionGroup var target: Target
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await UserCommand.perform(target, options, { .setUser($0, $1, active: false) }) {
                "User \($0) is disabled."
            }
        }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Accept the requests of a disabled user again.")

        @OptionGroup var target: Target
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await UserCommand.perform(target, options, { .setUser($0, $1, active: true) }) {
                "User \($0) is active."
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a user for good, with its access keys and policies.")

        @OptionGroup var target: Target
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await UserCommand.perform(target, options, { .deleteUser($0, $1) }) { "User \($0) is deleted." }
        }
    }
}
