// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import Messaging
import VaultModel

/// `coldvault topic …`
struct TopicCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topic", abstract: "Configure where notifications go, and look after those that did not arrive.",
        subcommands: [
            Create.self, List.self, Delete.self, Test.self, TopicMessageCommands.Messages.self,
            TopicMessageCommands.Resend.self, TopicMessageCommands.Drop.self,
        ])

    /// `arn:aws:sns:REGION:ACCOUNT:NAME`, as vaults and jobs name it.
    struct Argument: ParsableArguments {
        @ArgumentParser.Argument(help: "ARN of the topic: arn:aws:sns:REGION:ACCOUNT:NAME.")
        var topic: String

        func arn() throws -> TopicARN {
            guard let arn = TopicARN(topic) else {
                throw ValidationError(
                    "'\(topic)' is not the ARN of a topic: arn:aws:sns:REGION:ACCOUNT:NAME, the name out of a-z, A-Z, "
                        + "0-9, '_' and '-'."
                )
            }
            return arn
        }
    }

    static func targetText(_ target: JSONValue?) -> String {
        guard let (kind, value) = target?.objectValue?.first else { return "-" }
        let words = value.arrayValue?.compactMap(\.stringValue) ?? [value.stringValue ?? ""]
        return "\(kind) \(words.joined(separator: " "))"
    }
}

extension TopicCommand {
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a topic; prints its signing secret once.",
            discussion: """
                For example:
                coldvault topic create arn:aws:sns:us-east-1:111122223333:ready --webhook https://example.net/hook
                Then point a vault at it: coldvault vault notifications set photos --topic ARN
                """)

        @OptionGroup var topic: Argument
        @Option(help: "URL that messages are posted to: https://… or http://….")
        var webhook: String?
        @Option(
            help: "Existing directory of the service's machine, absolute: each message becomes a file.",
            completion: .directory)
        var directory: String?
        @Option(
            help: "Executable of the service's machine, absolute; it gets each message on standard input.",
            completion: .file())
        var command: String?
        @Option(
            name: .customLong("argument"), parsing: .unconditionalSingleValue,
            help: "With --command: an argument for it; give it once for each.")
        var arguments: [String] = []
        @OptionGroup var options: AdminOptions

        func validate() throws {
            guard [webhook, directory, command].compactMap({ $0 }).count == 1 else {
                throw ValidationError("Give one target: --webhook URL, --directory PATH or --command PATH.")
            }
            guard command != nil || arguments.isEmpty else {
                throw ValidationError("--argument belongs to --command.")
            }
        }

        func run() async throws {
            let arn = try topic.arn()
            let target: TopicTarget =
                if let webhook { .webhook(url: webhook) } else if let directory { .directory(path: directory) } else {
                    .command(arguments: [command ?? ""] + arguments)
                }
            try await AdminSession.run(options) { session in
                try await session.show(.createTopic(arn, target)) { document in
                    """
                    Topic           \(arn)
                    Target          \(TextTable.printable(TopicCommand.targetText(document["target"])))
                    Signing secret  \(document.cell("signingSecret"))
                    Keep the secret where messages are verified: it is not shown again.
                    Try the topic: coldvault topic test \(arn)
                    """
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the topics of one account, or of all. Never their secrets.")

        @Option(name: .customLong("account-id"), help: "Only the topics of this account.")
        var accountID: String?
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let chosen = try accountID.map(AccountArgument.account)
            try await AdminSession.run(options) { session in
                var topics: [JSONValue] = []
                for account in try await session.accounts(chosen) {
                    topics += try await session.client.send(.listTopics(account)).arrayValue ?? []
                }
                try session.show(.array(topics)) { document in
                    var table = TextTable([("TOPIC", .left), ("TARGET", .left), ("CREATED", .left)])
                    for topic in document.arrayValue ?? [] {
                        table.add([
                            topic.cell("topic"), TopicCommand.targetText(topic["target"]), topic.cell("created"),
                        ])
                    }
                    return table.text
                }
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a topic. What is still to be delivered to it is given up.")

        @OptionGroup var topic: Argument
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let arn = try topic.arn()
            try await AdminSession.run(options) { session in
                try await session.show(.deleteTopic(arn)) { _ in "Topic \(arn) is deleted." }
            }
        }
    }

    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Deliver a test message now; exit code 1 when the target does not take it.")

        @OptionGroup var topic: Argument
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let arn = try topic.arn()
            try await AdminSession.run(options) { session in
                try await session.show(.testTopic(arn)) { _ in "The target of \(arn) has taken the message." }
            }
        }
    }
}
