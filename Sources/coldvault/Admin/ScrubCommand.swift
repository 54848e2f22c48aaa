// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON

/// `coldvault scrub …`
struct ScrubCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub", abstract: "Verification of everything that is stored, in the background.",
        discussion: """
            The service verifies every new archive soon, and everything again within the period that is configured. It marks and reports what is \
            damaged, repairs a damaged copy from a good one where there is a mirror, and removes nothing.
            """,
        subcommands: [Start.self, Pause.self, Status.self, Report.self, Unnamed.self])

    private static func text(_ status: JSONValue) -> String {
        var lines = [
            "Activity           \(status.cell("activity"))", "Pass               \(status.cell("pass"))",
            "Started            \(status.cell("started"))", "Ended              \(status.cell("ended"))",
            "Archives           \(status.cell("archives"))", "Bytes              \(status.cell("bytes"))",
            "Failures           \(status.cell("failures"))", "Repairs            \(status.cell("repairs"))",
            "Unnamed blobs      \(status.cell("unnamed"))", "Oldest unverified  \(status.cell("oldestUnverified"))",
        ]
        for copy in status["copies"]?.arrayValue ?? [] { lines.append("Copy               \(copy.cell("name")): \(copy.cell("detail"))") }
        for finding in status["findings"]?.arrayValue ?? [] {
            lines.append("Found              \(finding.cell("subject")): \(finding.cell("reason"))")
        }
        return lines.joined(separator: "\n")
    }

    private static func show(_ request: ScrubRequest, _ options: AdminOptions) async throws {
        try await AdminSession.run(options) { try await $0.show(.scrub(request), table: text) }
    }
}

extension ScrubCommand {
    struct Start: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Begin a pass over everything now, or after the one under way; also ends a pause.")
        @OptionGroup var options: AdminOptions
        func run() async throws { try await ScrubCommand.show(.start, options) }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Rest until scrub start, also after a restart of the service.")
        @OptionGroup var options: AdminOptions
        func run() async throws { try await ScrubCommand.show(.pause, options) }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What the scrub does now, and what the pass has found.")
        @OptionGroup var options: AdminOptions
        func run() async throws { try await ScrubCommand.show(.status, options) }
    }

    struct Report: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The signed report of the last pass, as JSON.",
            discussion: "It can be verified anywhere: coldvault statement verify --file FILE --public-key HEX.")
        @OptionGroup var options: AdminOptions
        func run() async throws {
            try await AdminSession.run(options) { try await $0.show(.scrub(.report)) { $0.canonicalString() } }
        }
    }

    struct Unnamed: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Blobs that no record names. They stay where they are; nothing removes them.")
        @OptionGroup var options: AdminOptions
        func run() async throws {
            try await AdminSession.run(options) { session in
                var all: [JSONValue] = []
                var after: String?
                repeat {
                    let page = try await session.client.send(.scrub(.unnamed(after: after)))
                    all += page["blobs"]?.arrayValue ?? []
                    after = page["next"]?.stringValue
                } while after != nil && all.count < 1_000_000
                try session.show(.array(all)) { list in
                    let lines = (list.arrayValue ?? []).map { "\($0.cell("found"))  \($0.cell("blob"))  \($0.cell("reason"))" }
                    return lines.isEmpty ? "Every blob is named." : lines.joined(separator: "\n")
                }
            }
        }
    }
}

/// `coldvault archive damaged`: of the running service's operator, unlike the other verbs of `archive`.
struct ArchiveDamagedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "damaged", abstract: "Archives of this machine's service whose bytes did not verify (through its admin socket).")

    @Option(help: "Only of this vault.")
    var vault: String?
    @Option(help: "The vault's region.")
    var region: String?
    @Option(help: "The vault's account; may be left out when there is only one.")
    var accountID: String?
    @OptionGroup var options: AdminOptions

    func run() async throws {
        try await AdminSession.run(options) { session in
            var location: ScrubRequest = .damaged(nil, after: nil)
            if let vault { location = .damaged(try await session.location(vault: vault, account: accountID, region: region), after: nil) }
            let page = try await session.client.send(.scrub(location))
            try session.show(page) { page in
                let lines = (page["archives"]?.arrayValue ?? []).map {
                    "\($0.cell("found"))  \($0.cell("vaultArn"))  \($0.cell("archiveId"))  \($0.cell("reason"))"
                }
                return lines.isEmpty ? "No archive is known to be damaged." : lines.joined(separator: "\n")
            }
        }
    }
}
