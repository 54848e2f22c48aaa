// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import Execution
import NIOCore
import VaultClient

/// The formats that `--format` names.
enum InventoryFormatArgument: String, ExpressibleByArgument, CaseIterable, Sendable {
    case json
    case csv

    var format: InventoryFormat { self == .csv ? .csv : .json }
}

/// `coldvault inventory`
struct InventoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inventory", abstract: "List the archives of a vault, by way of an inventory job.",
        discussion: """
            Prints a table, or with --format the job's output as the service made it, to standard output or to a file. \
            The output is streamed: a vault may have any number of archives.
            """)

    @OptionGroup var vault: VaultOption

    @Option(help: "Print the output as it is, in this format: json or csv.")
    var format: InventoryFormatArgument?

    @Option(help: "Write the output (json unless --format says csv) to this file.", completion: .file())
    var outputFile: String?

    @Option(
        name: .customLong("job-id"), parsing: .unconditional,
        help: "Inventory job begun earlier, instead of beginning one.")
    var jobID: String?

    @Flag(help: "Replace the output file when it exists.")
    var force = false

    @OptionGroup var poll: PollOptions
    @OptionGroup var options: ClientOptions

    func run() async throws {
        let command = self
        try await ClientSession.run(options) { session in
            let fetcher = InventoryFetcher(client: session.client, pool: session.pool)
            let job = try await fetcher.job(
                vault: command.vault.vault, format: command.format?.format ?? .json, jobID: command.jobID,
                schedule: command.poll.schedule, observing: session.watching())
            if let path = command.outputFile {
                let bytes = try await fetcher.save(
                    vault: command.vault.vault, jobID: job.id, to: path, replacing: command.force)
                try session.show(
                    .object([
                        "JobId": .string(job.id), "OutputFile": .string(path),
                        "SizeInBytes": .integer(Int64(clamping: bytes)),
                    ])
                ) { "Wrote: \(path) (\(ByteText.exact(bytes)))" }
            } else if command.format != nil || session.form == .json {
                try await command.copy(jobID: job.id, fetcher: fetcher, session: session)
            } else {
                try await command.tabulate(jobID: job.id, fetcher: fetcher, session: session)
            }
        }
    }

    private func copy(jobID: String, fetcher: InventoryFetcher, session: ClientSession) async throws {
        var last: UInt8?
        try await fetcher.stream(vault: vault.vault, jobID: jobID) { piece in
            last = piece.readableBytesView.last ?? last
            try await session.pool.run { () throws(ClientError) in
                try StandardOutput.write(Array(piece.readableBytesView))
            }
        }
        if last != UInt8(ascii: "\n") { try StandardOutput.write(line: "") }
    }

    /// Columns have fixed widths, because the rows are printed before all of them are known.
    private func tabulate(jobID: String, fetcher: InventoryFetcher, session: ClientSession) async throws {
        var reader = InventoryReader()
        var archives = 0
        var bytes: UInt64 = 0
        try await session.pool.run { () throws(ClientError) in
            try StandardOutput.write(line: Self.row("CREATED", "BYTES", "ARCHIVE ID", "DESCRIPTION"))
        }
        try await fetcher.stream(vault: vault.vault, jobID: jobID) { piece in
            let entries = try reader.append(piece.readableBytesView)
            archives += entries.count
            for entry in entries { bytes &+= entry.bytes }
            let rows = entries.map {
                Self.row($0.creationDate, String($0.bytes), $0.archiveID, TextTable.printable($0.description)) + "\n"
            }.joined()
            if !rows.isEmpty {
                try await session.pool.run { () throws(ClientError) in try StandardOutput.write(Array(rows.utf8)) }
            }
        }
        let frame = try reader.finish()
        session.progress.remark(
            "\(archives) archive\(archives == 1 ? "" : "s"), \(ByteText.exact(bytes)), as of "
                + "\(frame.string("InventoryDate") ?? "an unknown time")."
        )
    }

    private static func row(_ created: String, _ bytes: String, _ id: String, _ description: String) -> String {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(width - text.count, 0))
        }
        let number = String(repeating: " ", count: max(14 - bytes.count, 0)) + bytes
        let line = "\(padded(created, 20))  \(number)  \(padded(id, 138))  \(description)"
        return description.isEmpty ? String(line.dropLast(2)) : line
    }
}
