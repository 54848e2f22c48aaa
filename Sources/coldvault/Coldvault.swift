// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The one executable: service, operator commands, and a client of any Glacier endpoint.
struct Coldvault: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coldvault", abstract: "An archival vault service that speaks the Amazon Glacier vault API, and its tools.",
        version: ServiceVersion.text,
        groupedSubcommands: [
            CommandGroup(
                name: "Service",
                subcommands: [
                    InitCommand.self, ServeCommand.self, CatalogCommand.self, RootKeyCommand.self, StatementCommand.self,
                    TortureCommand.self, DrillCommand.self,
                ]),
            CommandGroup(
                name: "Operator (through the running service's admin socket)",
                subcommands: [
                    AccountCommand.self, UserCommand.self, AccessKeyCommand.self, PolicyCommand.self, SessionCommand.self,
                    TopicCommand.self, KeyCommand.self, BackupCommand.self, VaultSettingsCommand.self, ClockCommand.self,
                    AuditCommand.self, CheckpointCommand.self, ScrubCommand.self,
                ]),
            CommandGroup(
                name: "Client (of any Glacier endpoint)",
                subcommands: [
                    VaultCommand.self, ArchiveCommand.self, JobCommand.self, InventoryCommand.self, CapacityCommand.self,
                    RetrievalPolicyCommand.self,
                ]),
        ])
}

/// What this build calls itself.
enum ServiceVersion {
    static let text = "0.1.0"
}

@main
enum EntryPoint {
    static func main() async { await CommandLineExit.main(Coldvault.self) }
}
