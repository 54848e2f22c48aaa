// SPDX-License-Identifier: Apache-2.0

import Execution
import GRDB
public import Storage

extension SQLiteCatalog {
    /// Opens a catalog that is another's, perhaps while a service has it open, only to look: no byte of it or beside it is written, no lock is
    /// taken that a writer waits for, no log is reset, and nothing is migrated. Every change throws.
    ///
    /// Beside a service, reads see what it has committed. A catalog that no service uses, with nothing in its log, is read as a file that nobody
    /// changes: should a service open it meanwhile, what is read from then on is worth nothing. The caller asks again at the end.
    /// - Parameter isInUse: whether a service has it open now.
    /// - Throws: `.unusable` for a catalog of another version, and whatever opening a missing or damaged one throws.
    public static func openForReading(path: String, isInUse: Bool) async throws(StorageError) -> SQLiteCatalog {
        let threads = BlockingPool(name: "reading", threads: 2)
        do throws(StorageError) {
            let (database, version) = try await threads.run { () throws(StorageError) in try CatalogFile.openForReading(path, isInUse: isInUse) }
            return SQLiteCatalog(
                database: database, changes: GroupCommit(database), sqliteVersion: version, pool: threads, ownsPool: true)
        } catch {
            await threads.shutdown()
            throw error
        }
    }
}

extension CatalogFile {
    /// The open database and the version of the SQLite library.
    static func openForReading(_ path: String, isInUse: Bool) throws(StorageError) -> (DatabasePool, String) {
        do {
            var reading = configuration
            reading.label = "reading"
            reading.readonly = true
            reading.maximumReaderCount = 2
            // Without a log, SQLite would make one to read by; with one, it would write into the shared index of it.
            let hasLog = DurableFile.bytes("\(path)-wal") > 0
            let mode = isInUse || hasLog ? "mode=ro&readonly_shm=1" : "immutable=1"
            let database = try DatabasePool(path: "file:\(escaped(path))?\(mode)", configuration: reading)
            let version = try database.read { connection in
                guard try pragma("user_version", connection) == Schema.version else {
                    throw StorageError(.unusable, "the catalog is of another version than this Coldvault's; serve it once")
                }
                return try String.fetchOne(connection, sql: "SELECT sqlite_version()") ?? "unknown"
            }
            return (database, version)
        } catch {
            throw CatalogFailure.beforeCommit(error)
        }
    }

    /// A path as a URI holds it.
    private static func escaped(_ path: String) -> String {
        let digits = Array("0123456789ABCDEF".unicodeScalars)
        var text = String.UnicodeScalarView()
        for byte in path.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                text.append(Unicode.Scalar(byte))
            default: text.append(contentsOf: ["%", digits[Int(byte >> 4)], digits[Int(byte & 15)]])
            }
        }
        return String(text)
    }
}
