// SPDX-License-Identifier: Apache-2.0

import GRDB
import Storage

/// The file of a catalog that is being built. Everything here blocks.
enum BuilderFile {
    /// What SQLite may leave beside a database file.
    static let companions = ["-wal", "-shm", "-journal"]

    /// A new file at `path` with all tables, the indexes of the large one left out. What an interrupted build has left there goes.
    static func open(_ path: String) throws(StorageError) -> (DatabaseQueue, laterIndexes: [String]) {
        do {
            try remove(path)
            guard try DurableFile.create(path) else {
                throw StorageError(.alreadyExists, "\(path) exists and cannot be removed; remove it and begin again")
            }
            var configuration = Configuration()
            configuration.label = "catalog builder"
            configuration.foreignKeysEnabled = true
            configuration.prepareDatabase { connection in
                // Nobody relies on the file before it is finished, synced and in place: until then the journal is for single statements.
                try connection.execute(
                    sql: "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -32768; PRAGMA secure_delete = OFF")
            }
            let database = try DatabaseQueue(path: path, configuration: configuration)
            let indexes = try database.write { connection in
                for step in Schema.steps { try connection.execute(sql: step) }
                try connection.execute(
                    sql: """
                        PRAGMA application_id = \(Schema.applicationID);
                        PRAGMA user_version = \(Schema.steps.count)
                        """)
                return try leaveIndexesForLater(connection)
            }
            return (database, indexes)
        } catch {
            throw CatalogFailure.beforeCommit(error)
        }
    }

    /// One sort at the end is cheaper than keeping random indexes over millions of rows in order.
    private static func leaveIndexesForLater(_ connection: Database) throws -> [String] {
        let found = try Row.fetchAll(
            connection,
            sql: "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'archives' AND sql IS NOT NULL ORDER BY name")
        return try found.map { row in
            let (name, sql): (String, String) = (row[0], row[1])
            try connection.execute(sql: "DROP INDEX \(name)")
            return sql
        }
    }

    /// Refuses a file that breaks a rule of SQLite or of the schema.
    static func check(_ connection: Database) throws {
        let findings = try String.fetchAll(connection, sql: "PRAGMA integrity_check(10)")
        guard findings == ["ok"] else {
            throw StorageError(
                .integrity, "the catalog just written is damaged (\(findings.joined(separator: "; "))): check memory and disk, begin again")
        }
        guard try Row.fetchOne(connection, sql: "PRAGMA foreign_key_check") == nil else {
            throw StorageError(.integrity, "the catalog just written refers to rows that it does not hold; nothing was put in place")
        }
    }

    /// Removes an unfinished file with what belongs to it.
    static func remove(_ path: String) throws(StorageError) {
        for suffix in companions + [""] { try DurableFile.remove(path + suffix) }
    }
}

/// Puts a finished catalog where the service looks for it.
///
///     begun ─ link old aside ▶ kept twice ─ unlink old ▶ no catalog ─ link new ▶ in place ─ unlink the new one's first name ▶ done
///
/// Each arrow is durable before the next. In the state "no catalog" a service refuses to start, and building again ends well; in all others there
/// is a whole catalog in place, with its own log beside it or with none.
enum CatalogReplacement {
    /// - Parameter aside: what the old catalog is called from now on; its log follows it, so that it opens as it was.
    /// - Returns: whether there was an old one.
    static func perform(_ fresh: String, at path: String, keepingAs aside: String) throws(StorageError) -> Bool {
        let hadOld = try DurableFile.exists(path)
        for suffix in ["-wal", ""] where try DurableFile.exists(path + suffix) {
            try DurableFile.link(path + suffix, aside + suffix)
        }
        try DurableFile.synchronizeDirectory(of: path)
        try DurableFile.remove(path)
        try DurableFile.synchronizeDirectory(of: path)
        // A log that outlived its catalog would be played back into the next one.
        for suffix in BuilderFile.companions { try DurableFile.remove(path + suffix) }
        try DurableFile.synchronizeDirectory(of: path)
        try DurableFile.link(fresh, path)
        try DurableFile.synchronizeDirectory(of: path)
        try DurableFile.remove(fresh)
        try DurableFile.synchronizeDirectory(of: path)
        return hadOld
    }
}
