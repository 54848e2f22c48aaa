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

extension BackupCommand {
    /// `coldvault backup restore`: offline, the service must be stopped.
    struct Restore: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a backup in place of the catalog, or of missing key files; the service must be stopped.",
            discussion: """
                A catalog backup that is older than the catalog or the blobs beside it is refused: what was stored since would be unknown. \
                With --allow-older it is restored all the same, and the report counts what it lacks; `coldvault catalog rebuild` makes a \
                catalog out of the blobs that lacks nothing but jobs. The replaced catalog is kept beside the new one.

                A keyring backup is restored where there are no keys, or the same ones; into an empty directory it also brings what else \
                makes one (format.json). Different or newer key files are replaced with --replace-keys only, and kept aside.
                """)

        @Option(help: "The backup.", completion: .file())
        var file: String
        @Option(help: "File with the private half of a backup key, CVBK1-…; - reads standard input.", completion: .file())
        var backupKeyFile: String
        @Option(help: "The data directory. For a keyring backup it may be new.", completion: .directory)
        var dataDir: String
        @Option(help: "File with the operating root key: it must open the keys.", completion: .file())
        var rootKeyFile: String
        @Option(help: "The service's public key, as init printed it: another service's backup is refused.")
        var publicKey: String?
        @Flag(help: "Restore a catalog that is older than what is there.")
        var allowOlder = false
        @Flag(help: "Replace key files that are different, and bring back ones that a newer keyring does not hold any more.")
        var replaceKeys = false
        @Option(help: "table or json.")
        var output: OutputForm = .table

        func run() async throws {
            try await OperatorExit.run {
                try ProcessHardening.disableCoreDumps()
                let pool = BlockingPool(name: "disk", threads: 4)
                let compute = BlockingPool(name: "compute", threads: 2)
                let report = try await restore(PosixDisk(pool: pool), pool, compute)
                await pool.shutdown()
                await compute.shutdown()
                try StandardOutput.write(line: output == .json ? report.canonicalString() : Self.table(report))
            }
        }

        private func restore(_ disk: PosixDisk, _ pool: BlockingPool, _ compute: BlockingPool) async throws -> JSONValue {
            let backup = try await OpenedBackup.verified(file, disk: disk, compute: compute)
            if let publicKey {
                guard let key = Hex.decode(publicKey) else { throw ValidationError("--public-key is no hexadecimal text.") }
                try backup.requireService([key])
            }
            let key = try await OpenedBackup.privateKey(backupKeyFile, disk: disk)
            let directory = DataDirectory(path: dataDir, disk: disk)
            let root = try await directory.rootKeyFile(rootKeyFile).load().key
            switch backup.file.header.kind {
            case .catalog:
                _ = try await directory.readFacts()
                let lock = try await DirectoryLock.acquire(directory: dataDir, on: pool)
                defer { lock.release() }
                return try await CatalogRestore(
                    directory: directory, backup: backup, privateKey: key, root: root, allowOlder: allowOlder, now: SystemTimeSource().now()
                ).run()
            case .keyring:
                try await disk.createDirectory(dataDir)
                let lock = try await DirectoryLock.acquire(directory: dataDir, on: pool)
                defer { lock.release() }
                return try await KeyringRestore(
                    directory: directory, backup: backup, privateKey: key, root: root, replaceKeys: replaceKeys, now: SystemTimeSource().now()
                ).run()
            }
        }

        private static func table(_ report: JSONValue) -> String {
            guard report["kind"]?.stringValue == "catalog" else {
                return """
                    Restored    \(report.cell("restored")) files of the keyring, \(report.cell("unchanged")) were there already
                    Kept aside  \((report["kept"]?.arrayValue ?? []).compactMap(\.stringValue).joined(separator: ", "))
                    """
            }
            return """
                Restored    the catalog of \(report.cell("created")), generation \(report.cell("generation"))
                Holds       \(report.cell("vaults")) vaults, \(report.cell("archives")) archives
                Kept aside  \(report.cell("kept"))
                Lacks       \(report.cell("missingArchives")) archives that are in blobs/
                Too many    \(report.cell("deletedArchives")) archives that blobs/ says are deleted, \(report.cell("goneArchives")) that are gone
                \(report.cell("next"))
                """
        }
    }
}
