// SPDX-License-Identifier: Apache-2.0

public import Execution
import GRDB
public import Storage
import Synchronization

/// The catalog of a vault service in one SQLite file, for one process on one machine.
///
///  1. Exactly one connection writes and checkpoints (``GroupCommit``); up to four others only read. No other process
///     may open the file: SQLite before 3.51.3 can corrupt a WAL that two connections reset at once, and backups go
///     through ``backup(to:)``. The one exception resets nothing and writes nothing: ``openForReading(path:isInUse:)``.
///  2. The file is in WAL mode with `synchronous = FULL`, both read back after opening; a file that will not have it is
///     not used.
///  3. Temporary data stays in memory; freed pages are overwritten; files are created for their owner only.
///  4. A file of another program, or of a newer Coldvault, is refused before anything in it is changed.
///  5. After a commit of unknown outcome the catalog still reads (what it held before) but refuses changes until it is
///     opened again.
///
/// All methods may be called from any task at any time; none blocks the caller's executor. Values that the schema
/// cannot hold (an unsigned number beyond 63 bits) give `.unusable`; limits above 10,000 rows are cut to that.
public final class SQLiteCatalog: Catalog {
    /// The version of the SQLite library in use, such as `3.40.1`, for the log at start-up.
    public let sqliteVersion: String

    let database: DatabasePool
    let changes: GroupCommit
    private let pool: BlockingPool
    private let ownsPool: Bool
    private let isClosed = Mutex(false)

    /// Opens the catalog at `path`, creating or migrating it as needed. Durable on return.
    ///
    /// - Parameters:
    ///   - path: The file; its directory must exist. SQLite keeps `-wal` and `-shm` beside it.
    ///   - pool: Threads on which reads run; nil for four of the catalog's own.
    ///   - verify: Also runs `PRAGMA quick_check`, which reads the whole file.
    /// - Throws: `.unusable` for a foreign or newer file or when durability settings do not hold, `.integrity` for a
    ///   damaged one.
    public static func open(
        path: String, pool: BlockingPool? = nil, verify: Bool = false
    ) async throws(StorageError) -> SQLiteCatalog {
        let threads = pool ?? BlockingPool(name: "catalog", threads: CatalogFile.readers)
        do throws(StorageError) {
            let (database, version) = try await threads.run { () throws(StorageError) in
                try CatalogFile.open(path, verify: verify)
            }
            return SQLiteCatalog(
                database: database, changes: GroupCommit(database), sqliteVersion: version, pool: threads,
                ownsPool: pool == nil)
        } catch {
            if pool == nil { await threads.shutdown() }
            throw error
        }
    }

    init(database: DatabasePool, changes: GroupCommit, sqliteVersion: String, pool: BlockingPool, ownsPool: Bool) {
        self.database = database
        self.changes = changes
        self.sqliteVersion = sqliteVersion
        self.pool = pool
        self.ownsPool = ownsPool
    }

    /// Finishes the changes handed in, moves the WAL into the file and closes it. Later calls throw `.unusable`.
    /// Idempotent.
    public func close() async {
        let first = isClosed.withLock { closed in
            defer { closed = true }
            return !closed
        }
        guard first else { return }
        await changes.close()
        let database = database
        await pool.run {
            // Both may fail on a failing disk. Nothing is lost: everything acknowledged is in the WAL, which the next
            // opening reads.
            try? database.writeWithoutTransaction { connection in
                _ = try connection.checkpoint(.truncate)
            }
            try? database.close()
        }
        if ownsPool { await pool.shutdown() }
    }

    /// One durable transaction, possibly shared with other callers. `work` may run more than once.
    func write<T: Sendable>(_ work: @Sendable @escaping (Database) throws -> T) async throws(StorageError) -> T {
        try await changes.submit(work)
    }

    /// One consistent snapshot that holds everything acknowledged before the call.
    func read<T: Sendable>(_ work: @Sendable @escaping (Database) throws -> T) async throws(StorageError) -> T {
        if isClosed.withLock({ $0 }) { throw StorageError(.unusable, "the catalog is closed") }
        let database = database
        return try await pool.run { () throws(StorageError) -> T in
            do {
                return try database.read(work)
            } catch {
                throw CatalogFailure.beforeCommit(error)
            }
        }
    }

    /// Changes and reads go on while the copy is made; the WAL grows until it is. The copy has one file, mode 0600.
    ///
    /// - Throws: `.alreadyExists` rather than overwrite anything; after any other error there is no file of that name.
    public func backup(to path: String) async throws(StorageError) {
        changes.copying(true)
        defer { changes.copying(false) }
        try await read { try CatalogFile.copy($0, to: path) }
    }
}
