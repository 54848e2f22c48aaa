// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import Cryptography
import Execution
import FileKeyCustody
import Foundation
import PosixDisk
import SealedArchive
import Storage
import VaultEngine
import VaultModel

/// `coldvault drill`
struct DrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill", abstract: "Rehearse a recovery from a backup, and measure what it loses and how long it takes.",
        discussion: """
            Takes the catalog for lost, restores the backup into a scratch directory, serves it inside this command over the blobs of the data \
            directory, retrieves a random sample of the archives that lie there and compares tree hashes with their manifests. Only reads below the \
            data directory, so that the service may run. Prints RPO and RTO and writes them as a signed document.
            """)

    @Option(help: "Data directory whose recovery is rehearsed.", completion: .directory)
    var dataDir: String
    @Option(help: "File with the operating root key.", completion: .file())
    var rootKeyFile: String
    @Option(help: "The catalog backup.", completion: .file())
    var backup: String
    @Option(help: "File with the private half of a backup key, CVBK1-…; - reads standard input.", completion: .file())
    var backupKeyFile: String
    @Option(help: "Existing directory for the restored catalog and the evidence; the catalog is removed at the end.", completion: .directory)
    var scratch: String
    @Option(help: "How many archives are retrieved.")
    var sample: Int = 50
    @Option(help: "Chooses the sample; printed, so that it can be repeated. Random when left out.")
    var seed: UInt64?
    @Option(help: "table or json.")
    var output: OutputForm = .table

    func validate() throws {
        guard (1...1_000_000).contains(sample) else { throw ValidationError("--sample is 1 to 1000000.") }
    }

    func run() async throws {
        try await OperatorExit.run {
            try ProcessHardening.disableCoreDumps()
            let pool = BlockingPool(name: "disk", threads: PosixDisk.defaultThreads)
            let compute = BlockingPool(name: "compute", threads: 2)
            let (statement, path, passed) = try await rehearse(PosixDisk(pool: pool), compute)
            await pool.shutdown()
            await compute.shutdown()
            switch output {
            case .json: try StandardOutput.write(statement.encode() + [0x0A])
            case .table: try StandardOutput.write(line: Self.table(.object(statement.body), path))
            }
            if !passed { throw ExitCode(ClientExit.integrity.rawValue) }
        }
    }

    private func rehearse(_ disk: PosixDisk, _ compute: BlockingPool) async throws -> (SignedStatement, String, Bool) {
        let directory = DataDirectory(path: dataDir, disk: disk)
        _ = try await directory.readFacts()
        let opened = try await OpenedBackup.verified(backup, disk: disk, compute: compute)
        let key = try await OpenedBackup.privateKey(backupKeyFile, disk: disk)
        let root = try await directory.rootKeyFile(rootKeyFile).load().key
        let folder = try await PrivateFolder.make(in: scratch, disk: disk)
        do {
            let drill = Drill(
                directory: directory, scratch: folder.path, backup: opened, backupKey: key, root: root, sampleSize: sample,
                seed: seed ?? SystemRandomBytes().bytes(8).reduce(0) { $0 << 8 | UInt64($1) }, compute: compute)
            let (statement, passed) = try await drill.run()
            await folder.remove()
            let stamp = Timestamp(milliseconds: statement.createdMilliseconds).iso8601Milliseconds.filter { $0 != ":" && $0 != "-" && $0 != "." }
            let path = "\(scratch)/drill-\(stamp).json"
            try await disk.replace(path, with: statement.encode())
            return (statement, path, passed)
        } catch {
            await folder.remove()
            throw error
        }
    }

    private static func table(_ body: JSONValue, _ path: String) -> String {
        var lines = [
            "Archives      \(body.cell("archives")) in blobs/; the backup lacks \(body.cell("lostArchives")) and lists \(body.cell("surplusArchives")) too many",
            "RPO           \(body.cell("recoveryPointMilliseconds")) ms: from the backup to the newest archive that it lacks",
            "RTO           \(body.cell("untilServingMilliseconds")) ms until it serves, \(body.cell("untilSampledMilliseconds")) ms until the sample is back",
            "Sample        \(body.cell("retrieved")) of \(body.cell("sampled")) retrieved and equal (\(body.cell("retrievedBytes")) bytes), "
                + "\(body.cell("unknownToCatalog")) unknown to the backup; seed \(body.cell("seed"))",
            "Evidence      \(path)",
        ]
        for failure in body["failures"]?.arrayValue ?? [] { lines.append("FAILED        \(failure.stringValue ?? "")") }
        lines.append(body["passed"]?.boolValue == true ? "PASSED" : "FAILED")
        return lines.joined(separator: "\n")
    }
}
