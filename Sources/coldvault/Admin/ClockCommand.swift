// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON

/// `coldvault clock …`
struct ClockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clock", abstract: "See and confirm the clock that vault locks rest on.",
        discussion: """
            A lock such as "not before a year" is only as good as the clock. When the clock jumps ahead by more than an \
            hour, deletions in locked vaults wait until an operator has compared it with another one and confirms it.
            """,
        subcommands: [Status.self, Confirm.self])

    private static func text(_ status: JSONValue) -> String {
        let verdict =
            status["trusted"]?.boolValue == true
            ? "The clock is trusted."
            : "The clock is AHEAD of the time that has passed: deletions in locked vaults wait.\n"
                + "Compare it with another clock; if it is right: coldvault clock confirm"
        return """
            Now       \(status.cell("now"))
            Expected  \(status.cell("expected"))
            Highest   \(status.cell("highest"))
            \(verdict)
            """
    }
}

extension ClockCommand {
    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show whether the clock is trusted.")

        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { try await $0.show(.clockStatus, table: ClockCommand.text) }
        }
    }

    struct Confirm: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Vouch for the clock of the service's machine: deletions that wait for it may go on.",
            discussion: "Compare the clock with another one first. Archives may be deleted because of this answer.")

        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { try await $0.show(.confirmClock, table: ClockCommand.text) }
        }
    }
}
