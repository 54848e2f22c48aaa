// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import Cryptography
import Execution
import FileKeyCustody
import Foundation
import NIOCore
import PosixDisk
import SealedArchive
import Storage
import VaultEngine
import VaultModel

/// `coldvault drill`
struct DrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill", abstract: "Rehearse the loss of the catalog, and measure what is lost and how long it takes.",
        discussion: """
            Takes the catalog for lost, makes it again in a scratch directory from blobs/ and keys/ (or from a backup), serves it inside this \
            command, retrieves a random sample of all archives and compares tree hashes. Only reads below the data directory and does not take \
            its lock: the service may run. Prints RPO and RTO and writes signed evidence. Exit codes: 0 passed, 5 failed (the evidence says \
            why), 4 wrong root key, 1 it could not be run.
            """)

    /// What the catalog comes back from.
    enum Origin: String, ExpressibleByArgument, CaseIterable { case rebuild, backup }

    @Option(help: "Data directory whose recovery is rehearsed; its service may run.", completion: .directory)
    var dataDir: String
    @Option(help: "File with the operating root key.", completion: .file())
    var rootKeyFile: String
    @Option(help: "Directory for the recovered catalog, made if it is missing; outside of the data directory.", completion: .directory)
    var scratchDir: String
    @Option(help: "rebuild, or backup with --backup; rebuild when neither is given.")
    var from: Origin?
    @Option(help: "A catalog backup to recover from.", completion: .file())
    var backup: String?
    @Option(help: "File with the private half of its backup key, CVBK1-…; - reads standard input.", completion: .file())
    var backupKeyFile: String?
    @Option(help: "How many archives are retrieved.")
    var sample: Int = 100
    @Option(help: "Chooses the sample; printed, so that it can be repeated. Random when left out.")
    var seed: UInt64?
    @Option(help: "Where the signed evidence goes; else drill-TIME.json in the scratch directory. Never overwrites.", completion: .file())
    var evidence: String?
    @Flag(help: "Keep the recovered catalog. That of a drill that failed is kept anyway.")
    var keep = false
    @Option(help: "table or json.")
    var output: OutputForm = .table

    func validate() throws {
        guard (1...1_000_000).contains(sample) else { throw ValidationError("--sample is 1 to 1000000.") }
        guard (backup == nil) == (backupKeyFile == nil) else { throw ValidationError("--backup and --backup-key-file belong together.") }
        guard from == nil || (from == .backup) == (backup != nil) else {
            throw ValidationError("--from backup needs --backup, and --from rebuild takes none.")
        }
    }

    func run() async throws {
        try await OperatorExit.run {
            try ProcessHardening.disableCoreDumps()
            let pool = BlockingPool(name: "disk", threads: PosixDisk.defaultThreads)
            let compute = BlockingPool(name: "compute", threads: System.coreCount)
            let done = try await rehearse(PosixDisk(pool: pool), compute)
            await pool.shutdown()
            await compute.shutdown()
            switch output {
            case .json: try StandardOutput.write(done.statement.encode() + [0x0A])
            case .table:
                try StandardOutput.write(line: DrillText(body: .object(done.statement.body)).table(evidence: done.evidence, kept: done.kept))
            }
            if !done.passed { throw ExitCode(ClientExit.integrity.rawValue) }
        }
    }

    private struct Done {
        let statement: SignedStatement
        let passed: Bool
        let evidence: String
        let kept: String?
    }

    private func rehearse(_ disk: PosixDisk, _ compute: BlockingPool) async throws -> Done {
        let directory = DataDirectory(path: dataDir, disk: disk)
        _ = try await directory.readFacts()
        try refuseInside(scratchDir)
        if let evidence {
            try refuseInside(evidence)
            guard try await disk.size(of: evidence) == nil else { throw OperatorError("\(evidence) exists and is not overwritten.") }
        }
        let loaded = try await directory.rootKeyFile(rootKeyFile).load()
        if let warning = loaded.warning { StandardError.write("coldvault: \(warning)\n") }
        let source = try await source(disk)
        try await disk.createDirectory(scratchDir)
        let folder = try await PrivateFolder.make(in: scratchDir, disk: disk)
        do {
            let drill = Drill(
                directory: directory, scratch: DataDirectory(path: folder.path, disk: disk), source: source, root: loaded.key, sampleSize: sample,
                seed: seed ?? SystemRandomBytes().bytes(8).reduce(0) { $0 << 8 | UInt64($1) }, compute: compute)
            let (statement, passed) = try await drill.run()
            let stamp = Timestamp(milliseconds: statement.createdMilliseconds).iso8601Milliseconds.filter { $0 != ":" && $0 != "-" && $0 != "." }
            let path = evidence ?? "\(scratchDir)/drill-\(stamp).json"
            try await disk.replace(path, with: statement.encode() + [0x0A])
            let isKept = keep || !passed
            if !isKept { await folder.remove() }
            return Done(statement: statement, passed: passed, evidence: path, kept: isKept ? folder.path : nil)
        } catch {
            if !keep { await folder.remove() }
            throw error
        }
    }

    private func source(_ disk: PosixDisk) async throws -> DrillSource {
        guard let backup, let backupKeyFile else { return .rebuild }
        return .backup(path: backup, key: try await OpenedBackup.privateKey(backupKeyFile, disk: disk))
    }

    /// The data directory is not written to, whatever was asked for.
    private func refuseInside(_ path: String) throws {
        func resolved(_ path: String) -> [String] { URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().pathComponents }
        // A name that does not exist yet resolves no links above it.
        let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let own = resolved(dataDir)
        guard !resolved(path).starts(with: own), !resolved(parent).starts(with: own) else {
            throw OperatorError("\(path) is inside of the data directory, which a drill only reads. Give another place.")
        }
    }
}
