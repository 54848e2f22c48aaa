// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import Cryptography
import Execution
import FileKeyCustody
import Logging
import PosixDisk
import SealedArchive
import Storage
import VaultEngine
import VaultModel

/// `coldvault init`
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Create a data directory, its keys, the first account and its access key.",
        discussion: """
            Prints the recovery key, the backup key and the secret access key once; none can be shown again. Keep the root key file off the disk that \
            holds the data, and the recovery key on paper: either of them opens the keyring, and without both nothing can be read.
            """)

    @Option(help: "Data directory to create.", completion: .directory)
    var dataDir: String

    @Option(help: "Root key file: created with mode 0600 when absent, used as it is when present, never overwritten.", completion: .file())
    var rootKeyFile: String

    @Option(help: "Number of the first account: 12 digits. Random when left out.")
    var accountID: String?

    @Option(help: "Region of the first vaults.")
    var region: String = "us-east-1"

    @Option(help: "table or json.")
    var output: OutputForm = .table

    func validate() throws {
        if let accountID, AccountID(accountID) == nil {
            throw ValidationError("--account-id \(accountID) is not an account number: give 12 digits, without hyphens.")
        }
        guard Region(region) != nil else {
            throw ValidationError("--region \(region) is not a region code: use a-z, 0-9 and hyphens, for example us-east-1.")
        }
    }

    func run() async throws {
        try await OperatorExit.run {
            try ProcessHardening.disableCoreDumps()
            let pool = BlockingPool(name: "disk", threads: 4)
            let result = try await create(on: pool)
            await pool.shutdown()
            try show(result)
        }
    }

    private struct Result {
        let key: NewAccessKey
        let recoveryKey: String
        /// Verifies the service's statements; hex.
        let signingPublicKey: String
        /// The private half of the first backup key.
        let backupKey: String
    }

    private func create(on pool: BlockingPool) async throws -> Result {
        let directory = DataDirectory(path: dataDir, disk: PosixDisk(pool: pool))
        guard let region = Region(region) else { throw ValidationError("--region is not a region code.") }
        let present = try await directory.disk.entries(of: dataDir).map(\.name)
        guard !present.contains("format.json") else {
            throw OperatorError("\(dataDir) is a data directory already; nothing was changed. Choose another, or serve this one.")
        }
        guard present.allSatisfy({ $0 == "lost+found" || $0 == DirectoryLock.fileName }) else {
            throw OperatorError(
                "\(dataDir) is not empty (it holds \(present.prefix(3).joined(separator: ", "))); nothing was changed. "
                    + "Give a new directory; if an earlier init was interrupted here, remove what it left first.")
        }
        try await directory.disk.createDirectory(dataDir)
        let lock = try await DirectoryLock.acquire(directory: dataDir, on: pool)
        let random = SystemRandomBytes()
        let root = try await Self.rootKey(directory.rootKeyFile(rootKeyFile), random: random)
        try await directory.disk.createDirectory(directory.keysPath)
        let recoveryKey = SecretKey(random: random)
        try await Keyring.create(
            files: directory.keyFiles(), root: FileKeyCustody(rootKey: root, random: random),
            recovery: RecoveryKeyCustody(recoveryKey: recoveryKey, random: random), recoveryKey: recoveryKey,
            now: SystemTimeSource().now(), random: random)
        let recoveryText = RecoveryKeyText.encode(recoveryKey)
        guard try RecoveryKeyText.parse(recoveryText).isEqual(to: recoveryKey) else {
            throw OperatorError("The printed form of the recovery key does not read back; nothing can be trusted to it. Run init again.")
        }
        let vault = try await OpenedVault.open(
            directory, rootKeyFile: rootKeyFile, configuration: EngineConfiguration(), reserveBytes: 0, lock: lock, pool: pool,
            logger: Logger(label: "coldvault.init") { _ in SwiftLogNoOpLogHandler() })
        let key = try await vault.engine.createAccount(accountID.flatMap { AccountID($0) })
        let publicKey = Hex.encode(vault.engine.signingPublicKey)
        let backupKey = try NewBackupKey()
        _ = try await vault.engine.addBackupKey(backupKey.publicKey)
        try await directory.writeFacts(DataDirectory.Facts(region: region))
        await vault.close()
        return Result(key: key, recoveryKey: recoveryText, signingPublicKey: publicKey, backupKey: backupKey.text)
    }

    static func rootKey(_ file: RootKeyFile, random: SystemRandomBytes) async throws -> SecretKey {
        do throws(StorageError) {
            return try await file.load().key
        } catch {
            guard error.code == .notFound else { throw error }
            return try await file.create(random: random)
        }
    }

    private func show(_ result: Result) throws {
        switch output {
        case .json:
            let document: JSONValue = [
                "accountId": .string(result.key.account.digits), "accessKeyId": .string(result.key.accessKeyID),
                "secretAccessKey": .string(result.key.secretAccessKey), "region": .string(region),
                "recoveryKey": .string(result.recoveryKey), "signingPublicKey": .string(result.signingPublicKey),
                "backupKey": .string(result.backupKey),
            ]
            try StandardOutput.write(document.canonicalBytes() + [0x0A])
        case .table:
            try StandardOutput.write(
                line: """
                    The data directory \(dataDir) is ready.

                      account            \(result.key.account)
                      access key id      \(result.key.accessKeyID)
                      secret access key  \(result.key.secretAccessKey)
                      region             \(region)
                      recovery key       \(result.recoveryKey)
                      backup key         \(result.backupKey)
                      signing key        \(result.signingPublicKey) (public)

                    The secret access key, the recovery key and the backup key are not shown again. Write the recovery key down on paper: together with the
                    directory it opens everything, also when \(rootKeyFile) is lost. The public signing key verifies the certificates, receipts
                    and reports of this service; keep a copy elsewhere. The backup key opens the backups of this service, which are sealed to it:
                    keep it away from this machine and from them.

                    Next: coldvault serve --data-dir \(dataDir) --root-key-file \(rootKeyFile) --listen 127.0.0.1:8080
                    """)
        }
    }
}
