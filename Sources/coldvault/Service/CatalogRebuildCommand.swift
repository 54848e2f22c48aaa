// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import Cryptography
import Execution
import FileBlobStore
import FileKeyCustody
import NIOCore
import PosixDisk
import SQLiteCatalog
import SealedArchive
import Storage
import VaultEngine
import VaultModel

/// `coldvault catalog rebuild`
struct CatalogRebuildCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild", abstract: "Make the catalog again from blobs/ and keys/ alone.",
        discussion: """
            Every acknowledged change appears again: accounts, users, access keys, vaults with their settings and locks, archives, open uploads. \
            Jobs, staged outputs and undelivered messages do not. The service must be stopped. An old catalog is kept beside the new one under \
            another name; blobs and keys are only read. Interrupted at any point, run it again. Exit codes: 0 done, 5 done but damage was \
            found (the report names it), 1 refused, 4 wrong key.
            """)

    @Option(help: "Data directory of the stopped service.", completion: .directory)
    var dataDir: String

    @Option(help: "Root key file.", completion: .file())
    var rootKeyFile: String?

    @Option(help: "File that holds the recovery key as init printed it, when the root key is lost.", completion: .file())
    var recoveryKeyFile: String?

    @Flag(help: "Also when the present catalog is whole. It is kept aside, and its jobs and messages are forgotten.")
    var replace = false

    @Flag(help: "Also read every part and compare its SHA-256 with the manifest.")
    var verifyData = false

    @Option(help: "table or json.")
    var output: OutputForm = .table

    func validate() throws {
        guard (rootKeyFile == nil) != (recoveryKeyFile == nil) else {
            throw ValidationError("Give either --root-key-file or --recovery-key-file.")
        }
    }

    func run() async throws {
        try await OperatorExit.run {
            try ProcessHardening.disableCoreDumps()
            let pool = BlockingPool(name: "disk", threads: PosixDisk.defaultThreads)
            let directory = DataDirectory(path: dataDir, disk: PosixDisk(pool: pool))
            _ = try await directory.readFacts()
            let lock = try await DirectoryLock.acquire(directory: dataDir, on: pool)
            let done = try await rebuild(directory, pool)
            lock.release()
            await pool.shutdown()
            try done.show(as: output)
            guard done.report.isClean else { throw ExitCode(ClientExit.integrity.rawValue) }
        }
    }

    private func rebuild(_ directory: DataDirectory, _ pool: BlockingPool) async throws -> RebuiltCatalog {
        let random = SystemRandomBytes()
        let clock = SystemTimeSource()
        let keyring = try await openKeyring(directory, random)
        if !replace { try await PresentCatalog.refuseIfWhole(directory) }
        let stamp = clock.now().iso8601Milliseconds.filter { $0.isNumber || $0 == "T" || $0 == "Z" }
        let store = directory.coldStore(reserveBytes: 0)
        try await store.removeAbandonedWrites()
        let compute = BlockingPool(name: "compute", threads: System.coreCount)
        let writer = BlockingPool(name: "builder", threads: 1)
        let builder = try await SQLiteCatalogBuilder.begin(path: directory.catalogPath + ".rebuilding", pool: writer)
        var options = RebuildOptions()
        options.verifyData = verifyData
        let journal = FindingsFile(directory: directory, stamp: stamp)
        let bar = RebuildBar(isShown: StandardError.isTerminal)
        let strays = store.strayFiles()
        do {
            let report = try await CatalogRebuild(
                store: store, keyring: keyring, builder: builder, compute: compute, clock: clock, random: random, options: options,
                nextStray: { try await strays.next() }, progress: { bar.show($0) }, journal: { try await journal.append($0) }
            ).run()
            bar.end()
            let findings = try await journal.publish()
            let aside = "\(directory.catalogPath).before-rebuild-\(stamp)"
            let hadOld = try await SQLiteCatalogBuilder.putInPlace(
                builder.path, at: directory.catalogPath, keepingAs: aside, pool: writer)
            let done = RebuiltCatalog(
                report: report, path: directory.catalogPath, previous: hadOld ? aside : nil, findingsPath: findings,
                reportPath: "\(directory.path)/rebuild-report-\(stamp).json")
            try await directory.disk.replace(done.reportPath, with: done.json.canonicalBytes() + [0x0A])
            await compute.shutdown()
            await writer.shutdown()
            return done
        } catch {
            bar.end()
            await journal.abandon()
            await builder.abandon()
            throw error
        }
    }

    private func openKeyring(_ directory: DataDirectory, _ random: SystemRandomBytes) async throws -> Keyring {
        let custody: any KeyCustody
        if let recoveryKeyFile {
            custody = RecoveryKeyCustody(recoveryKey: try await recoveryKey(in: recoveryKeyFile, directory), random: random)
        } else {
            let loaded = try await directory.rootKeyFile(rootKeyFile ?? "").load()
            if let warning = loaded.warning { StandardError.write("coldvault: \(warning)\n") }
            custody = FileKeyCustody(rootKey: loaded.key, random: random)
        }
        // Only reads: no key file is written here.
        return try await Keyring.open(files: directory.keyFiles(), root: custody, random: random) {
            RecoveryKeyCustody(recoveryKey: $0, random: random)
        }
    }

    private func recoveryKey(in path: String, _ directory: DataDirectory) async throws -> SecretKey {
        let bytes = try await directory.disk.readAll(path, limit: 4096)
        let text = String(decoding: bytes, as: UTF8.self)
        let trimmed = text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()
        do {
            return try RecoveryKeyText.parse(String(trimmed))
        } catch {
            throw OperatorError("\(path) does not hold a recovery key as init printed it (\(error)). Check every character against the paper.")
        }
    }
}

/// The catalog that is there before a rebuild.
enum PresentCatalog {
    /// A rebuild forgets what only a catalog holds; one that can be used is not given up unasked.
    static func refuseIfWhole(_ directory: DataDirectory) async throws {
        guard try await directory.disk.size(of: directory.catalogPath) != nil else { return }
        let catalog: SQLiteCatalog
        do throws(StorageError) {
            catalog = try await SQLiteCatalog.open(path: directory.catalogPath, verify: true)
        } catch {
            guard error.code == .integrity else { throw error }
            return StandardError.write("coldvault: the present catalog is damaged and will be kept aside: \(error.message)\n")
        }
        let totals: CatalogTotals
        do throws(StorageError) {
            totals = try await catalog.totals()
        } catch {
            await catalog.close()
            guard error.code == .integrity else { throw error }
            return
        }
        await catalog.close()
        throw OperatorError(
            "\(directory.catalogPath) is whole: \(totals.vaults) vaults, \(totals.archives) archives. A rebuild would forget "
                + "\(totals.queuedJobs) unfinished jobs, all finished ones with their outputs, and \(totals.waitingMessages + totals.deadMessages) "
                + "undelivered messages. Nothing was changed. Give --replace to rebuild all the same; the present catalog is then kept aside.")
    }
}
