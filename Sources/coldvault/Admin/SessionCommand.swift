// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import VaultModel

/// `coldvault session …`
struct SessionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "session", abstract: "Issue temporary credentials of an account or a user.",
        subcommands: [Create.self])
}

extension SessionCommand {
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Issue an access key, a secret and a session token that end by themselves; prints them once.",
            discussion: """
                With --output json the result is what `credential_process` of ~/.aws/config understands:
                credential_process = coldvault session create --data-dir DIR --account-id N --user NAME --output json
                """)

        @Option(name: .customLong("account-id"), help: "Account number; may be left out when there is only one.")
        var accountID: String?
        @Option(help: "Name of the user they act as. Left out: the account's root.")
        var user: String?
        @Option(help: "How long they are valid, such as 15m, 1h or 36h.")
        var duration: DurationArgument = .init(.seconds(3600))
        @Option(help: "File with a session policy: they may do only what it allows, too.", completion: .file())
        var policy: String?
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let user = try user.map(UserArgument.user)
            let seconds = duration.duration.components.seconds
            guard seconds > 0 else { throw ValidationError("--duration must be at least a second.") }
            try await AdminSession.run(options) { session in
                let text = try policy.map(PolicyFile.text)
                let principal = Principal(account: try await session.account(accountID), user: user)
                let answer = try await session.client.send(
                    .createSession(SessionOrder(principal: principal, seconds: seconds, policy: text)))
                try session.show(Self.credentials(answer)) { _ in Self.text(answer) }
            }
        }

        /// The document of `credential_process`.
        private static func credentials(_ answer: JSONValue) -> JSONValue {
            [
                "AccessKeyId": answer["accessKeyId"] ?? .null, "Expiration": answer["expires"] ?? .null,
                "SecretAccessKey": answer["secretAccessKey"] ?? .null, "SessionToken": answer["sessionToken"] ?? .null,
                "Version": 1,
            ]
        }

        private static func text(_ answer: JSONValue) -> String {
            """
            Principal      \(answer.cell("principal"))
            Access key     \(answer.cell("accessKeyId"))
            Secret         \(answer.cell("secretAccessKey"))
            Session token  \(answer.cell("sessionToken"))
            Expires        \(answer.cell("expires"))
            Keep them: they are not shown again.
            """
        }
    }
}
