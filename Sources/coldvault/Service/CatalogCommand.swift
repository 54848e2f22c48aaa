// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `coldvault catalog`: what is done to the catalog while no service runs.
struct CatalogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalog", abstract: "Make a lost or damaged catalog again, while the service is stopped.",
        subcommands: [CatalogRebuildCommand.self])
}
