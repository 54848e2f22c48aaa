// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import VaultClient

/// The events of `--event`.
enum VaultEventArgument: String, ExpressibleByArgument, CaseIterable, Sendable {
    case archiveRetrievalCompleted = "ArchiveRetrievalCompleted"
    case inventoryRetrievalCompleted = "InventoryRetrievalCompleted"
}

/// `coldvault vault notifications …`
struct VaultNotificationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notifications", abstract: "Choose which finished jobs of a vault are announced to a topic.",
        subcommands: [Get.self, Set.self, Delete.self])

    private static func show(_ settings: VaultNotificationSettings, _ session: ClientSession) throws {
        let document: JSONValue = [
            "Events": .array(settings.events.map { .string($0) }), "SNSTopic": .string(settings.topic),
        ]
        try session.show(document) {
            """
            Topic   \(TextTable.printable(settings.topic))
            Events  \(TextTable.printable(settings.events.joined(separator: ", ")))
            """
        }
    }
}

extension VaultNotificationsCommand {
    struct Get: VaultVerb {
        static let configuration = CommandConfiguration(abstract: "Show the topic and the events of a vault.")

        @OptionGroup var vault: VaultArgument
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            try VaultNotificationsCommand.show(try await session.client.vaultNotifications(vault: name), session)
        }
    }

    struct Set: VaultVerb {
        static let configuration = CommandConfiguration(
            abstract: "Announce finished jobs of a vault to a topic; takes the place of what was set before.")

        @OptionGroup var vault: VaultArgument
        @Option(help: "ARN of the topic: arn:aws:sns:REGION:ACCOUNT:NAME.")
        var topic: String
        @Option(
            name: .customLong("event"),
            help: "ArchiveRetrievalCompleted or InventoryRetrievalCompleted; give it once for each. Default: both.")
        var events: [VaultEventArgument] = []
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            let chosen = events.isEmpty ? VaultEventArgument.allCases : events
            let settings = VaultNotificationSettings(topic: topic, events: chosen.map(\.rawValue))
            try await session.client.setVaultNotifications(settings, vault: name)
            try VaultNotificationsCommand.show(settings, session)
        }
    }

    struct Delete: VaultVerb {
        static let configuration = CommandConfiguration(
            abstract: "Announce nothing any more. Succeeds also when nothing was set.")

        @OptionGroup var vault: VaultArgument
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            try await session.client.deleteVaultNotifications(vault: name)
            try session.show(["VaultName": .string(name)]) { "Jobs of vault '\(name)' are not announced." }
        }
    }
}
