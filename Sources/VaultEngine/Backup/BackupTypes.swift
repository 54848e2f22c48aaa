// SPDX-License-Identifier: Apache-2.0

public import Storage
public import VaultModel

/// Where the engine finds what only a data directory on a disk has: who may restore, and room for a copy in the making.
public struct BackupPlace: Sendable {
    /// The file, below the data directory, that says to whom backups are sealed.
    public static let recipientsName = "backup-recipients.json"
    /// The plain copy of the catalog while a backup is written: never outside of the data directory.
    static let copyName = "catalog-copy.sqlite"

    public let disk: any Disk
    /// The data directory.
    public let directory: String

    public init(disk: any Disk, directory: String) {
        self.disk = disk
        self.directory = directory
    }

    var recipientsPath: String { "\(directory)/\(Self.recipientsName)" }
    var copyPath: String { "\(directory)/\(Self.copyName)" }

    /// Removes the plain copy, and what SQLite may have kept beside it; also what a crash left.
    func removeCopy() async throws(StorageError) {
        for suffix in ["", "-journal", "-wal", "-shm"] { try await disk.remove(copyPath + suffix) }
    }
}

/// Which backups are made.
public enum BackupSelection: String, Sendable, Hashable, CaseIterable {
    case all, catalog, keyring
}

/// What `backup create` wrote.
public struct BackupReport: Sendable, Hashable {
    public let created: Timestamp
    /// Paths of what was written; nil for what was not asked for.
    public let catalogPath: String?
    public let keyringPath: String?
    public let catalogBytes: UInt64
    /// Of the newest checkpoint before the copy.
    public let generation: UInt64
    public let keyFiles: Int
    /// Ids of the backup keys that open them.
    public let recipients: [String]

    public init(
        created: Timestamp, catalogPath: String?, keyringPath: String?, catalogBytes: UInt64, generation: UInt64, keyFiles: Int,
        recipients: [String]
    ) {
        self.created = created
        self.catalogPath = catalogPath
        self.keyringPath = keyringPath
        self.catalogBytes = catalogBytes
        self.generation = generation
        self.keyFiles = keyFiles
        self.recipients = recipients
    }
}

/// A backup key as the service knows it: its public half.
public struct BackupKeyDescription: Sendable, Hashable {
    /// 32 hexadecimal digits.
    public let keyID: String
    /// 64 hexadecimal digits.
    public let publicKey: String
    public let created: Timestamp

    public init(keyID: String, publicKey: String, created: Timestamp) {
        self.keyID = keyID
        self.publicKey = publicKey
        self.created = created
    }
}

/// How the backups stand, for health and metrics.
public struct BackupStatus: Sendable, Hashable {
    /// Of the newest catalog backup that was made; nil: never.
    public let newest: Timestamp?
    /// Why the last scheduled one failed; nil when it did not.
    public let failure: String?
    /// Nil without a schedule.
    public let interval: Duration?

    /// Whether a schedule is kept: nothing failed, and the newest is not older than twice the interval.
    public func isHealthy(at now: Timestamp) -> Bool {
        guard let interval else { return true }
        guard failure == nil else { return false }
        return newest.map { now.since($0) <= interval + interval } ?? true
    }
}
