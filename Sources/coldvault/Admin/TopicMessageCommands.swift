// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import VaultModel

/// `coldvault topic messages|resend|drop`: what did not arrive.
enum TopicMessageCommands {
    /// The choices of `--state`.
    enum State: String, ExpressibleByArgument, CaseIterable, Sendable {
        case dead
        case waiting

        var requested: AdminRequest.MessageState {
            switch self {
            case .dead: .dead
            case .waiting: .waiting
            }
        }
    }

    struct Messages: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List messages that were given up, or that wait, of one account or of all.")

        @Option(name: .customLong("account-id"), help: "Only the messages of this account.")
        var accountID: String?
        @Option(help: "dead: given up after the last attempt. waiting: on their way.")
        var state: State = .dead
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let chosen = try accountID.map(AccountArgument.account)
            try await AdminSession.run(options) { session in
                var messages: [JSONValue] = []
                for account in try await session.accounts(chosen) {
                    messages += try await session.client.messages(account, state.requested)
                }
                try session.show(.array(messages)) { document in
                    var table = TextTable([
                        ("MESSAGE", .left), ("TOPIC", .left), ("CREATED", .left), ("ATTEMPTS", .right),
                        ("LAST FAILURE", .left),
                    ])
                    for message in document.arrayValue ?? [] {
                        table.add([
                            message.cell("messageId"), message.cell("topic"), message.cell("created"),
                            message.cell("attempts"), message.cell("lastFailure"),
                        ])
                    }
                    return table.text
                }
            }
        }
    }

    struct Resend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a message again, with the same message id; it gets all its attempts anew.")

        @Argument(help: "Id of the message, as `coldvault topic messages` tells it.")
        var message: String
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let id = try TopicMessageCommands.id(message)
            try await AdminSession.run(options) { session in
                try await session.show(.resendMessage(id)) { _ in "Message \(id) is on its way again." }
            }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Forget a message for good.")

        @Argument(help: "Id of the message, as `coldvault topic messages` tells it.")
        var message: String
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let id = try TopicMessageCommands.id(message)
            try await AdminSession.run(options) { session in
                try await session.show(.dropMessage(id)) { _ in "Message \(id) is dropped." }
            }
        }
    }

    private static func id(_ text: String) throws -> MessageUID {
        guard let id = MessageUID(hex: text) else {
            throw ValidationError("'\(text)' is not a message id: 32 hexadecimal digits.")
        }
        return id
    }
}
