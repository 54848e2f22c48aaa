// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import Cryptography
import Execution
import FileKeyCustody
import MirroredBlobStore
import PosixDisk
import SealedArchive
import Storage
import VaultEngine
import VaultModel

/// `coldvault root-key …`: works on a data directory that no service uses.
struct RootKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "root-key", abstract: "Replace the root key or the recovery key of a data directory whose service is stopped.",
        subcommands: [Rotate.self])
}

extension RootKeyCommand {
    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Wrap all keys under a new root key, or, with --recovery, a new recovery key.",
            discussion: """
                Adds a slot to every file of keys/, opens every file through it, then takes the old slots away. Nothing that is stored is touched. \
                Interrupted, it is finished by running the same command again. Older copies of keys/ still open with the old key: make a \
                new keyring backup, then destroy those.
                """)

        @Option(help: "Data directory.", completion: .directory)
        var dataDir: String
        @Option(help: "The root key file in use.", completion: .file())
        var rootKeyFile: String
        @Option(help: "The new root key file: created with mode 0600 when absent, used as it is when present.", completion: .file())
        var newRootKeyFile: String?
        @Option(help: "The second copy of the vault, when it has one.", completion: .directory)
        var mirrorDir: String?
        @Flag(help: "Replace the recovery key instead; the new one is printed once.")
        var recovery = false
        @Option(help: "table or json.")
        var output: OutputForm = .table

        func validate() throws {
            guard recovery != (newRootKeyFile != nil) else {
                throw ValidationError("Give --new-root-key-file to replace the root key, or --recovery to replace the recovery key.")
            }
        }

        func run() async throws {
            try await OperatorExit.run {
                try ProcessHardening.disableCoreDumps()
                let pool = BlockingPool(name: "disk", threads: 4)
                let document = try await rotate(on: pool)
                await pool.shutdown()
                try show(document)
            }
        }

        private func rotate(on pool: BlockingPool) async throws -> JSONValue {
            let directory = DataDirectory(path: dataDir, disk: PosixDisk(pool: pool))
            _ = try await directory.readFacts()
            let lock = try await DirectoryLock.acquire(directory: dataDir, on: pool)
            defer { lock.release() }
            let random = SystemRandomBytes()
            let old = FileKeyCustody(rootKey: try await directory.rootKeyFile(rootKeyFile).load().key, random: random)
            let rotation = RootRotation(
                files: directory.keyFiles(), mirrors: try await mirrors(of: directory), random: random)
            guard let newRootKeyFile else {
                let (key, report) = try await rotation.replaceRecoveryKey(root: old, now: SystemTimeSource().now()) {
                    RecoveryKeyCustody(recoveryKey: $0, random: random)
                }
                return Self.document(report, ["recoveryKey": .string(RecoveryKeyText.encode(key))])
            }
            // Whoever has the wrong key learns it before a new one is made.
            let present = try await Self.existing(directory.rootKeyFile(newRootKeyFile))
            try await rotation.check([old] + (present.map { [FileKeyCustody(rootKey: $0, random: random)] } ?? []))
            let new = FileKeyCustody(
                rootKey: try await InitCommand.rootKey(directory.rootKeyFile(newRootKeyFile), random: random), random: random)
            let report = try await rotation.replace(old, with: new)
            return Self.document(report, ["rootKeyFile": .string(newRootKeyFile)])
        }

        /// The mirror's key files. A vault that has a mirror is not rotated without it: the old key would still open the copy there.
        private func mirrors(of directory: DataDirectory) async throws -> [any KeyFileStore] {
            guard let mirrorDir else {
                guard try await directory.disk.size(of: directory.mirrorPath) == nil else {
                    throw OperatorError(
                        "This vault has a mirror, and its copy of keys/ must be rotated as well. Give --mirror-dir as for serve. If the mirror "
                            + "is lost for good, remove \(directory.mirrorPath) first. Nothing was changed.")
                }
                return []
            }
            try await MirrorPair(disk: directory.disk, dataDirectory: directory.path, mirrorDirectory: mirrorDir).requireBoth()
            return [DataDirectory(path: mirrorDir, disk: directory.disk).keyFiles()]
        }

        /// Nil when there is no file yet.
        private static func existing(_ file: RootKeyFile) async throws -> SecretKey? {
            do throws(StorageError) {
                return try await file.load().key
            } catch {
                guard error.code == .notFound else { throw error }
                return nil
            }
        }

        private static func document(_ report: RootRotation.Report, _ more: [String: JSONValue]) -> JSONValue {
            .object(
                more.merging([
                    "files": .integer(Int64(report.files)), "slotsAdded": .integer(Int64(report.added)),
                    "slotsRemoved": .integer(Int64(report.removed)),
                ]) { first, _ in first })
        }

        private func show(_ document: JSONValue) throws {
            guard output == .table else { return try StandardOutput.write(line: document.canonicalString()) }
            let counts = "\(document.cell("files")) key files: \(document.cell("slotsAdded")) slots added, \(document.cell("slotsRemoved")) removed."
            guard let text = document["recoveryKey"]?.stringValue else {
                return try StandardOutput.write(
                    line: """
                        \(counts)
                        Serve with --root-key-file \(document.cell("rootKeyFile")) from now on. Make a new keyring backup; copies of keys/ made before still
                        open with the old root key.
                        """)
            }
            try StandardOutput.write(
                line: """
                    \(counts)

                      recovery key       \(text)

                    It is not shown again: write it down on paper and destroy the old one. Copies of keys/ made before still open with the old one.
                    """)
        }
    }
}
