// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import VaultClient

/// `coldvault capacity …`
struct CapacityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capacity", abstract: "Purchase and list provisioned capacity for Expedited retrievals.",
        subcommands: [Purchase.self, List.self])
}

extension CapacityCommand {
    struct Purchase: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Purchase one unit for a calendar month; every call makes another one.")

        @OptionGroup var options: ClientOptions

        func run() async throws {
            try await ClientSession.run(options) { session in
                let id = try await session.client.purchaseCapacity()
                try session.show(["CapacityId": .string(id)]) { "Capacity id: \(TextTable.printable(id))" }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the units of the account in the region.")

        @OptionGroup var options: ClientOptions

        func run() async throws {
            try await ClientSession.run(options) { session in
                let units = try await session.client.provisionedCapacity()
                try session.show(["ProvisionedCapacityList": .array(units.map(\.document.value))]) {
                    var table = TextTable([("CAPACITY ID", .left), ("START", .left), ("EXPIRATION", .left)])
                    for unit in units { table.add([unit.id, unit.start, unit.expiration]) }
                    return table.text
                }
            }
        }
    }
}
