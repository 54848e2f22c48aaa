// SPDX-License-Identifier: Apache-2.0

import GRDB
import Storage

/// Opening, checking, migrating and copying the file of the catalog. Everything here blocks.
enum CatalogFile {
    /// Connections that read.
    static let readers = 4

    /// SQLite reuses the WAL from its start whenever no reader needs it; readers that overlap without end can prevent
    /// that.
    static let maxLogBytes: Int64 = 64 << 20

    /// The open database and the version of the SQLite library.
    static func open(_ path: String, verify: Bool) throws(StorageError) -> (DatabasePool, String) {
        do {
            if try DurableFile.create(path) { try DurableFile.synchronizeDirectory(of: path) }
            let database = try DatabasePool(path: path, configuration: configuration)
            let version = try database.writeWithoutTransaction { connection in
                // GRDB sets NORMAL when it turns WAL on, which may lose acknowledged commits in a power cut.
                try connection.execute(sql: "PRAGMA synchronous = FULL")
                try assertDurable(connection)
                try migrate(connection)
                if verify { try check(connection) }
                return try String.fetchOne(connection, sql: "SELECT sqlite_version()") ?? "unknown"
            }
            return (database, version)
        } catch {
            throw CatalogFailure.beforeCommit(error)
        }
    }

    static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "catalog"
        configuration.journalMode = .wal
        configuration.maximumReaderCount = readers
        configuration.foreignKeysEnabled = true
        // Nobody else opens the file; a short wait covers SQLite's own recovery locks.
        configuration.busyMode = .timeout(5)
        // Transactions span calls on the writer connection only inside GroupCommit, which always ends them.
        configuration.allowsUnsafeTransactions = true
        configuration.prepareDatabase { connection in
            // Runs before WAL mode is set, hence before the first change to a file that may not be ours.
            try recognise(connection)
            try connection.execute(sql: "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON")
        }
        return configuration
    }

    /// Refuses a file of another program or of a newer version of this one.
    private static func recognise(_ connection: Database) throws {
        let application = try pragma("application_id", connection)
        let version = try pragma("user_version", connection)
        switch application {
        case Schema.applicationID where version <= Schema.version: return
        case Schema.applicationID:
            throw StorageError(
                .unusable,
                "the catalog is of version \(version), made by a newer Coldvault than this (\(Schema.version)): upgrade"
            )
        case 0 where version == 0:
            guard try Int64.fetchOne(connection, sql: "SELECT count(*) FROM sqlite_schema") == 0 else { fallthrough }
        default: throw StorageError(.unusable, "the file is an SQLite database of another program; is the path right?")
        }
    }

    /// Refuses to run with settings under which an acknowledged change could be lost.
    static func assertDurable(_ connection: Database) throws {
        guard try pragma("synchronous", connection) == 2 else {
            throw StorageError(
                .unusable, "SQLite did not accept synchronous = FULL: acknowledged changes could be lost")
        }
        guard try String.fetchOne(connection, sql: "PRAGMA journal_mode") == "wal" else {
            throw StorageError(
                .unusable, "SQLite did not accept WAL mode; does the file system support shared memory maps?")
        }
        guard try pragma("foreign_keys", connection) == 1 else {
            throw StorageError(.unusable, "this SQLite library was built without foreign keys; use the system's")
        }
    }

    /// Takes the schema from whatever older version it has to the newest, each step in one transaction with its version
    /// number.
    private static func migrate(_ connection: Database) throws {
        let found = try pragma("user_version", connection)
        guard (0...Schema.version).contains(found) else {
            throw StorageError(.unusable, "the catalog is of version \(found), which no Coldvault writes")
        }
        for step in Int(found)..<Schema.steps.count {
            try connection.inTransaction(.immediate) {
                try connection.execute(sql: Schema.steps[step])
                try connection.execute(
                    sql: "PRAGMA application_id = \(Schema.applicationID); PRAGMA user_version = \(step + 1)")
                return .commit
            }
        }
    }

    private static func check(_ connection: Database) throws {
        let findings = try String.fetchAll(connection, sql: "PRAGMA quick_check(10)")
        guard findings == ["ok"] else {
            throw StorageError(
                .integrity, "the catalog is damaged (\(findings.joined(separator: "; "))): restore or rebuild it")
        }
    }

    /// Empties a WAL that has outgrown its bound, waiting for running readers (seconds at most; new ones need no WAL by
    /// then).
    static func boundLog(_ connection: Database, of path: String, maxBytes: Int64 = maxLogBytes) {
        guard DurableFile.bytes("\(path)-wal") > maxBytes else { return }
        // Readers that do not end in time leave it to the next attempt. Any other failure shows in the next commit.
        _ = try? connection.checkpoint(.truncate)
    }

    /// Pages that are copied at once.
    private static let pagesPerStep: CInt = 256

    /// A consistent copy at `path`, which must not exist; durable on return. `connection` only reads, inside one transaction: the copy is
    /// the snapshot that the transaction sees, and whoever writes meanwhile waits for nothing (Docs/Decisions/0019).
    static func copy(_ connection: Database, to path: String) throws(StorageError) {
        guard try DurableFile.create(path) else {
            throw StorageError(.alreadyExists, "\(path) exists; a backup never overwrites: choose another name")
        }
        do {
            var configuration = Configuration()
            configuration.label = "copy"
            configuration.prepareDatabase { copy in
                // Nobody reads it before it is whole and synchronised as one file.
                try copy.execute(sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY")
            }
            let target = try DatabaseQueue(path: path, configuration: configuration)
            try target.writeWithoutTransaction { copy in
                try connection.backup(to: copy, pagesPerStep: pagesPerStep)
            }
            try target.close()
            try DurableFile.synchronize(path)
        } catch {
            DurableFile.abandon(path)
            throw CatalogFailure.beforeCommit(error)
        }
    }

    static func pragma(_ name: StaticString, _ connection: Database) throws -> Int64 {
        try Int64.fetchOne(connection, sql: "PRAGMA \(name)") ?? 0
    }
}
