// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import VaultModel

/// `coldvault policy …`
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Attach policies to users, check policies, and ask what they allow.",
        discussion: "The policies of vaults are set by their owners: coldvault vault policy, coldvault vault lock.",
        subcommands: [Put.self, List.self, Show.self, Delete.self, PolicyCheckCommand.self, PolicySimulateCommand.self])

    /// Whose policies a command works on.
    struct Owner: ParsableArguments {
        @Option(help: "Name of the user.")
        var user: String
        @Option(name: .customLong("account-id"), help: "Account of the user; may be left out when there is only one.")
        var accountID: String?
    }
}

extension PolicyCommand {
    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Attach a policy to a user; one of the same name is replaced.")

        @OptionGroup var owner: Owner
        @Option(help: "Name of the policy.")
        var name: String
        @OptionGroup var policy: PolicyFileOption
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let (user, name) = (try UserArgument.user(owner.user), name)
            try await AdminSession.run(options) { session in
                let text = try policy.text()
                let account = try await session.account(owner.accountID)
                try await session.show(.putUserPolicy(account, user, name: name, document: text)) { _ in
                    "User \(user) has the policy '\(name)'."
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the policies of a user.")

        @OptionGroup var owner: Owner
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let user = try UserArgument.user(owner.user)
            try await AdminSession.run(options) { session in
                let account = try await session.account(owner.accountID)
                try await session.show(.listUserPolicies(account, user)) { document in
                    var table = TextTable([("POLICY", .left), ("BYTES", .right)])
                    for policy in document.arrayValue ?? [] {
                        table.add([policy.cell("name"), String(policy.cell("document").utf8.count)])
                    }
                    return table.text
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print one policy of a user, as it was put.")

        @OptionGroup var owner: Owner
        @Option(help: "Name of the policy.")
        var name: String
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let user = try UserArgument.user(owner.user)
            try await AdminSession.run(options) { session in
                let account = try await session.account(owner.accountID)
                let all = try await session.client.send(.listUserPolicies(account, user)).arrayValue ?? []
                guard let policy = all.first(where: { $0["name"]?.stringValue == name }) else {
                    throw AdminClientError(
                        .notFound,
                        "User \(user) has no policy '\(name)'. `coldvault policy list` tells which there are.")
                }
                try session.show(policy) { TextTable.printableLines($0.cell("document")) }
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take a policy from a user.")

        @OptionGroup var owner: Owner
        @Option(help: "Name of the policy.")
        var name: String
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let (user, name) = (try UserArgument.user(owner.user), name)
            try await AdminSession.run(options) { session in
                let account = try await session.account(owner.accountID)
                try await session.show(.deleteUserPolicy(account, user, name: name)) { _ in
                    "User \(user) no longer has the policy '\(name)'."
                }
            }
        }
    }
}
