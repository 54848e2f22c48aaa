// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import Execution
import Foundation
import PosixDisk
import VaultClient

/// `coldvault torture`
struct TortureCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "torture", abstract: "Test a disk and its file system with a vault that is killed again and again.",
        discussion: """
            Works in a fresh directory only, with a vault of its own. `run` kills the service at random moments and compares everything \
            that was acknowledged, bit for bit. `write` and `check` do the same around a real power cut: see Docs/Operations/Torture.md.
            """,
        subcommands: [TortureRunCommand.self, TortureWriteCommand.self, TortureCheckCommand.self],
        defaultSubcommand: TortureRunCommand.self)
}

/// What all three have.
struct TortureOptions: ParsableArguments {
    @Option(help: "A new directory on the disk to be tested.", completion: .directory)
    var dataDir: String

    @Option(help: "Clients at once (1-64).")
    var workers: Int = 4

    @Option(help: "The largest archive, such as 3MiB (up to 256MiB).")
    var largest: ByteArgument?

    @Option(help: "A file for the evidence as JSON; - for standard output.", completion: .file())
    var evidence: String?

    @Option(help: "inPlace or staged: how the service keeps retrieved output.")
    var outputMode: String = "inPlace"

    var largestBytes: Int { Int(clamping: largest?.bytes ?? 3 << 20) }

    var serviceFlags: [String] { ["--output-mode", outputMode, "--deletion-grace", "1s", "--log-level", "notice"] }

    func validate() throws {
        guard (1...64).contains(workers) else { throw ValidationError("--workers must be 1 to 64.") }
        guard (1...(256 << 20)).contains(largestBytes) else { throw ValidationError("--largest must be 1 byte to 256MiB.") }
        guard ["inPlace", "staged"].contains(outputMode) else {
            throw ValidationError("--output-mode must be inPlace or staged.")
        }
    }
}

/// `coldvault torture run`
struct TortureRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Kill the service at random moments and verify all that was acknowledged.")

    @OptionGroup var options: TortureOptions

    @Option(help: "Kills (1-100000).")
    var rounds: Int = 20

    @Option(help: "Stop after so many seconds, however many kills there were.")
    var duration: Int?

    @Option(help: "Repeats the choices of an earlier run; its timing cannot be repeated.")
    var seed: UInt64?

    @Option(help: "Where the ledger is kept: on another disk if that one is to be trusted less. Default: in memory only.")
    var ledger: String?

    @Flag(help: "Leave the vault where it is.")
    var keep = false

    func validate() throws {
        guard (1...100_000).contains(rounds) else { throw ValidationError("--rounds must be 1 to 100000.") }
        guard duration.map({ $0 > 0 }) ?? true else { throw ValidationError("--duration must be at least 1 second.") }
    }

    func run() async throws {
        try await TortureSession.run(options) { session in
            let directory = session.directory
            try await session.pool.run { try directory.create() }
            let seed = seed ?? UInt64.random(in: 0...UInt64.max)
            StandardError.write("seed \(seed)\n")
            let handle = try ledger.map { try TortureDirectory.newFile($0) } ?? FileHandle.nullDevice
            let book = TortureLedger(handle, isSynced: ledger != nil, pool: session.pool)
            try await book.note(.begun(seed: seed))
            var run = TortureRun(session: session, options: options, ledger: book, seed: seed)
            try await run.killAgainAndAgain(rounds: rounds, within: duration.map { .seconds($0) })
            try await session.finish(await run.report(of: "run"), evidence: options.evidence)
            if run.findings.isEmpty, !keep { try await session.pool.run { try directory.remove() } }
            guard run.findings.isEmpty else { throw ExitCode(ClientExit.integrity.rawValue) }
        }
    }
}

/// `coldvault torture write`
struct TortureWriteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write", abstract: "Write until the power is cut (or SIGINT), and note what was acknowledged elsewhere.")

    @OptionGroup var options: TortureOptions

    @Option(help: "The ledger: a file on another disk, or - for standard output, to be piped to another machine.")
    var ledger: String

    @Option(help: "Stop after so many seconds.")
    var duration: Int?

    func run() async throws {
        try await TortureSession.run(options) { session in
            let directory = session.directory
            try await session.pool.run { try directory.create() }
            let seed = UInt64.random(in: 0...UInt64.max)
            let handle = ledger == "-" ? FileHandle.standardOutput : try TortureDirectory.newFile(ledger)
            let book = TortureLedger(handle, isSynced: ledger != "-", pool: session.pool)
            try await book.note(.begun(seed: seed))
            StandardError.write("Writing. Cut the power when you like.\n")
            var run = TortureRun(session: session, options: options, ledger: book, seed: seed)
            // A ledger that travels through a pipe needs a moment to be safe.
            try await run.write(for: duration.map { .seconds($0) }, deletionPause: ledger == "-" ? .seconds(2) : .zero)
            guard run.findings.isEmpty else { throw ExitCode(ClientExit.integrity.rawValue) }
        }
    }
}

/// `coldvault torture check`
struct TortureCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "After a power cut: start the service and verify all that the ledger names.")

    @OptionGroup var options: TortureOptions

    @Option(help: "The ledger that `torture write` kept.", completion: .file())
    var ledger: String

    func run() async throws {
        try await TortureSession.run(options) { session in
            guard let data = FileManager.default.contents(atPath: ledger) else {
                throw OperatorError("The ledger \(ledger) cannot be read.")
            }
            let facts = try TortureLedger.read(String(decoding: data, as: UTF8.self))
            let book = TortureLedger(FileHandle.nullDevice, isSynced: false, facts: facts, pool: session.pool)
            var run = TortureRun(session: session, options: options, ledger: book, seed: facts.seed)
            try await run.check()
            try await session.finish(await run.report(of: "check"), evidence: options.evidence)
            guard run.findings.isEmpty else { throw ExitCode(ClientExit.integrity.rawValue) }
        }
    }
}
