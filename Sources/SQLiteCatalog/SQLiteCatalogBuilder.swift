// SPDX-License-Identifier: Apache-2.0

public import Execution
import GRDB
public import Storage
import Synchronization
public import VaultModel

/// Builds a catalog in a fresh SQLite file, to be put in place of a lost one.
///
/// The file is not crash-safe while it grows, because nothing relies on it; ``finish()`` checks every page and makes it durable. Memory: a cache
/// of 32 MiB and the rows of one call.
public final class SQLiteCatalogBuilder: CatalogBuilder {
    /// Where the file is built.
    public let path: String

    private let database: DatabaseQueue
    private let laterIndexes: [String]
    private let pool: BlockingPool
    private let state = Mutex(State())

    private struct State {
        /// Of the vault whose rows are coming in.
        var tally = Tally()
        var inserted: UInt64 = 0
        var isOver = false
    }

    private struct Tally {
        var archives: UInt64 = 0
        var bytes: UInt64 = 0
    }

    /// Begins a catalog at `path`; what an interrupted build has left there goes.
    /// - Parameter pool: threads for the work, which blocks; the caller keeps it until the end.
    public static func begin(path: String, pool: BlockingPool) async throws(StorageError) -> SQLiteCatalogBuilder {
        try await pool.run { () throws(StorageError) in
            let (database, indexes) = try BuilderFile.open(path)
            return SQLiteCatalogBuilder(path: path, database: database, laterIndexes: indexes, pool: pool)
        }
    }

    private init(path: String, database: DatabaseQueue, laterIndexes: [String], pool: BlockingPool) {
        self.path = path
        self.database = database
        self.laterIndexes = laterIndexes
        self.pool = pool
    }

    /// Puts the finished catalog `fresh` at `path`. An old one there keeps all it held under the name `aside`, which must be free. Durable on
    /// return; interrupted anywhere, `path` names the old catalog, the new one, or nothing.
    /// - Returns: whether there was an old one.
    public static func putInPlace(
        _ fresh: String, at path: String, keepingAs aside: String, pool: BlockingPool
    ) async throws(StorageError) -> Bool {
        try await pool.run { () throws(StorageError) in
            try CatalogReplacement.perform(fresh, at: path, keepingAs: aside)
        }
    }

    // MARK: accounts and vaults

    public func insert(_ account: AccountRow, members: AccountMembers) async throws(StorageError) {
        members.assertBelong(to: account.id)
        try await write { database in
            try AccountRow.insert(account, in: database)
            try members.insert(in: database)
        }
    }

    public func insert(_ vault: VaultRow) async throws(StorageError) {
        try await write { database in try VaultRow.insert(vault, in: database) }
    }

    public func vault(at location: VaultLocation) async throws(StorageError) -> VaultRow? {
        try await write { database in try VaultRow.find(at: location, in: database) }
    }

    public func vault(_ uid: VaultUID) async throws(StorageError) -> VaultRow? {
        try await write { database in try VaultRow.find(uid, in: database) }
    }

    public func removeVault(_ uid: VaultUID) async throws(StorageError) {
        try await write { database in _ = try database.change("DELETE FROM vaults WHERE uid = ?", [uid.sql]) }
    }

    // MARK: archives and uploads

    public func insert(_ archives: [ArchiveRow]) async throws(StorageError) {
        precondition(archives.count <= maxRows, "one insert is bounded")
        try await write { database in
            for archive in archives { try ArchiveRow.insertUncounted(archive, in: database) }
        }
        state.withLock { state in
            state.inserted += UInt64(archives.count)
            for archive in archives where archive.state == .stored {
                state.tally.archives += 1
                state.tally.bytes += archive.size
            }
        }
    }

    public func insert(_ uploads: [RebuiltUpload]) async throws(StorageError) {
        try await write { database in
            for upload in uploads {
                try UploadRow.insert(upload.row, in: database)
                for part in upload.parts { try PartRow.insert(part, in: database) }
            }
        }
    }

    public func finishVault(_ uid: VaultUID, keys: [VaultKeyWrap], lastChange: Timestamp?) async throws(StorageError) {
        let tally = state.withLock { state in
            defer { state.tally = Tally() }
            return state.tally
        }
        try await write { database in
            try database.change(
                "UPDATE vaults SET archive_count = ?, total_bytes = ?, last_change = ? WHERE uid = ?",
                [tally.archives.sql(), tally.bytes.sql(), lastChange?.sql, uid.sql])
            try database.change("DELETE FROM vault_keys WHERE vault = ?", [uid.sql])
            try VaultRow.insertKeys(keys, of: uid, in: database)
        }
    }

    public func doom(_ blobs: [DoomedBlob]) async throws(StorageError) {
        try await write { database in
            for blob in blobs { try DoomedBlob.insert(blob, in: database) }
        }
    }

    public func setFact(_ name: String, _ value: String) async throws(StorageError) {
        try await write { database in
            _ = try database.change(
                "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", [name, value])
        }
    }

    // MARK: the end

    public func finish() async throws(StorageError) -> CatalogTotals {
        let inserted = state.withLock { $0.inserted }
        let indexes = laterIndexes
        let totals = try await write { database in
            for index in indexes { try database.execute(sql: index) }
            try database.execute(
                sql: """
                    \(Schema.countKeyReferences)
                    DELETE FROM vaults WHERE state = 'deleted'
                        AND NOT EXISTS (SELECT 1 FROM key_references r WHERE r.vault = vaults.uid AND r.count > 0)
                    """)
            let rows = try database.number("SELECT count(*) FROM archives", from: "archives") ?? 0
            guard UInt64(rows) == inserted else {
                throw StorageError(.integrity, "\(inserted) archives were written and \(rows) are there; check memory and disk, begin again")
            }
            return try CatalogTotals.read(database)
        }
        let (database, path) = (database, path)
        try await pool.run { () throws(StorageError) in
            do {
                try database.writeWithoutTransaction { connection in
                    try BuilderFile.check(connection)
                }
                try database.close()
                try DurableFile.synchronize(path)
            } catch {
                throw CatalogFailure.beforeCommit(error)
            }
        }
        state.withLock { $0.isOver = true }
        return totals
    }

    public func abandon() async {
        let isFirst = state.withLock { state in
            defer { state.isOver = true }
            return !state.isOver
        }
        guard isFirst else { return }
        let (database, path) = (database, path)
        await pool.run {
            // The caller reports what went wrong first; a left-over file is removed by the next build.
            try? database.close()
            try? BuilderFile.remove(path)
        }
    }

    private func write<T: Sendable>(_ work: @Sendable @escaping (Database) throws -> T) async throws(StorageError) -> T {
        if state.withLock({ $0.isOver }) { throw StorageError(.unusable, "the catalog builder is finished") }
        let database = database
        return try await pool.run { () throws(StorageError) -> T in
            do {
                return try database.write(work)
            } catch {
                throw CatalogFailure.beforeCommit(error)
            }
        }
    }
}
