// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON

/// `coldvault vault reset-access-policy`: the way back in for an owner whose access policy denies everything to everybody.
struct ResetAccessPolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset-access-policy",
        abstract: "As the operator, remove a vault's access policy, also one that shuts out its owner.",
        discussion: """
            Asks the running service through its admin socket; no access key is needed. Succeeds also when there is no \
            access policy. A vault lock stays: nobody can remove a completed one.
            """)

    @Argument(help: "Name of the vault.")
    var vault: String
    @Option(name: .customLong("account-id"), help: "Account of the vault; may be left out when there is only one.")
    var accountID: String?
    @Option(help: "Region of the vault.")
    var region: String
    @OptionGroup var options: AdminOptions

    func run() async throws {
        try await AdminSession.run(options) { session in
            let location = try await session.location(vault: vault, account: accountID, region: region)
            try await session.show(.resetVaultAccessPolicy(location)) { _ in
                "Vault '\(vault)' has no access policy. A lock, if it has one, is as it was."
            }
        }
    }
}
