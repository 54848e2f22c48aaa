// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// A command about one vault of a Glacier service: it says what to do, the session and its end are the same for all.
protocol VaultVerb: AsyncParsableCommand, Sendable {
    var vault: VaultArgument { get }
    var options: ClientOptions { get }

    /// Does it and shows the result.
    func perform(_ session: ClientSession, on name: String) async throws
}

extension VaultVerb {
    func run() async throws {
        let verb = self
        try await ClientSession.run(options) { try await verb.perform($0, on: verb.vault.resolved) }
    }
}
