// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import Cryptography
import Execution
import Foundation
import PosixDisk
import SQLiteCatalog
import SealedArchive
import Storage
import VaultEngine
import VaultModel

extension BackupCommand {
    /// `coldvault backup verify`: needs no service and no data directory.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check that a backup is whole and signed; with its key, open it and check what it holds.",
            discussion: """
                Without --backup-key-file every byte is read, and digest and signature are compared: the file is what the service named in \
                it wrote. With it everything is opened, too: a catalog is put into a private folder below --scratch, checked as a database, \
                and removed. What is sealed inside a catalog stays sealed.
                """)

        @Option(help: "The backup.", completion: .file())
        var file: String
        @Option(help: "File with the private half of a backup key, CVBK1-…; - reads standard input.", completion: .file())
        var backupKeyFile: String?
        @Option(help: "The service's public key, as init printed it: another service's backup is refused.")
        var publicKey: String?
        @Option(help: "Where the opened catalog may lie for a moment; a file system in memory is best. Else the system's folder for temporary files.", completion: .directory)
        var scratch: String?
        @Option(help: "table or json.")
        var output: OutputForm = .table

        func run() async throws {
            try await OperatorExit.run {
                try ProcessHardening.disableCoreDumps()
                let pool = BlockingPool(name: "disk", threads: 4)
                let compute = BlockingPool(name: "compute", threads: 2)
                let report = try await report(PosixDisk(pool: pool), compute)
                await pool.shutdown()
                await compute.shutdown()
                try show(report)
            }
        }

        private func report(_ disk: PosixDisk, _ compute: BlockingPool) async throws -> [String: JSONValue] {
            let backup = try await OpenedBackup.verified(file, disk: disk, compute: compute)
            let header = backup.file.header
            if let publicKey {
                guard let key = Hex.decode(publicKey) else { throw ValidationError("--public-key is no hexadecimal text.") }
                try backup.requireService([key])
            }
            var report: [String: JSONValue] = [
                "bytes": .integer(Int64(backup.file.fileBytes)),
                "created": .string(Timestamp(milliseconds: Int64(clamping: header.createdMilliseconds)).iso8601Milliseconds),
                "generation": .integer(Int64(clamping: header.generation)), "kind": .string(header.kind.name), "opened": false,
                "recipients": .array(header.wraps.map { .string(Hex.encode($0.keyID)) }), "service": .string(Hex.encode(header.service)),
                "signature": "valid",
            ]
            guard let backupKeyFile else { return report }
            let key = try await OpenedBackup.privateKey(backupKeyFile, disk: disk)
            report["opened"] = true
            switch header.kind {
            case .keyring:
                let names = try await backup.keyring(privateKey: key).files.keys.sorted()
                report["files"] = .array(names.map { .string($0) })
            case .catalog:
                let facts = try await catalogFacts(backup, key)
                report["catalogGeneration"] = .integer(Int64(clamping: facts.generation))
                report["vaults"] = .integer(Int64(facts.totals.vaults))
                report["archives"] = .integer(Int64(facts.totals.archives))
                report["archiveBytes"] = .integer(Int64(clamping: facts.totals.bytes))
            }
            return report
        }

        private func catalogFacts(_ backup: OpenedBackup, _ key: SecretKey) async throws -> CatalogFacts {
            let folder = try await PrivateFolder.make(in: scratch, disk: backup.disk)
            do {
                let path = "\(folder.path)/catalog.sqlite"
                try await backup.extractCatalog(privateKey: key, to: path, in: folder.path)
                let catalog = try await SQLiteCatalog.open(path: path)
                let result: Result<CatalogFacts, any Error>
                do {
                    try await catalog.checkIntegrity()
                    result = .success(try await CatalogFacts.read(catalog))
                } catch {
                    result = .failure(error)
                }
                await catalog.close()
                let facts = try result.get()
                await folder.remove()
                return facts
            } catch {
                await folder.remove()
                throw error
            }
        }

        private func show(_ report: [String: JSONValue]) throws {
            let document = JSONValue.object(report)
            guard output == .table else { return try StandardOutput.write(line: document.canonicalString()) }
            var lines = [
                "Kind        \(document.cell("kind"))", "Created     \(document.cell("created"))",
                "Generation  \(document.cell("generation"))", "Bytes       \(document.cell("bytes"))",
                "Service     \(document.cell("service"))",
                "Sealed to   \((document["recipients"]?.arrayValue ?? []).compactMap(\.stringValue).joined(separator: ", "))",
                "Whole, and signed by that service.",
            ]
            switch (document["opened"]?.boolValue, document["files"]) {
            case (true, nil):
                lines.append(
                    "Opened: an intact catalog of \(document.cell("vaults")) vaults and \(document.cell("archives")) archives.")
            case (true, .some(let files)): lines.append("Opened: \(files.arrayValue?.count ?? 0) files of the keyring.")
            default: lines.append("Not opened: give --backup-key-file to check what it holds.")
            }
            try StandardOutput.write(line: lines.joined(separator: "\n"))
        }
    }
}

/// A folder that only its owner may enter, for what must not stay.
struct PrivateFolder: Sendable {
    let path: String
    private let disk: PosixDisk

    static func make(in parent: String?, disk: PosixDisk) async throws -> PrivateFolder {
        let parent = parent ?? FileManager.default.temporaryDirectory.path
        guard FileManager.default.fileExists(atPath: parent) else { throw OperatorError("There is no folder \(parent).") }
        let path = "\(parent)/coldvault-\(Hex.encode(SystemRandomBytes().bytes(8)))"
        try await disk.createDirectory(path)
        return PrivateFolder(path: path, disk: disk)
    }

    /// With everything in it. A failure leaves a folder that only its owner may enter.
    func remove() async {
        let path = path
        try? FileManager.default.removeItem(atPath: path)
    }
}
