// SPDX-License-Identifier: Apache-2.0

import Execution
import GRDB
import Storage
import StorageLaws

@testable import SQLiteCatalog

/// The real catalog, whose transactions run as steps of the simulator: concurrent changes share a commit when the seed says so, and a commit
/// can be lost or done without anybody knowing.
///
/// SQLite itself is taken at its word: a COMMIT that it performed is durable and whole. What its own file does in a power cut is SQLite's
/// proof, and that of the kill suite.
enum SimulatedCatalog {
    /// What becomes of one COMMIT.
    enum Fate { case happens, isLost, happensUnknown, isLostUnknown }

    static func open(path: String, on simulator: Simulator, pool: BlockingPool, fate: @escaping @Sendable () -> Fate)
        throws -> SQLiteCatalog
    {
        let (database, version) = try CatalogFile.open(path, verify: false)
        let changes = GroupCommit(
            database,
            commit: { connection in
                let fate = fate()
                switch fate {
                case .happens, .happensUnknown: try connection.change("COMMIT")
                case .isLost, .isLostUnknown: break
                }
                guard fate != .happens else { return }
                throw DatabaseError(resultCode: fate == .isLost ? .SQLITE_FULL : .SQLITE_IOERR)
            },
            turn: { database, work in
                simulator.submit { database.writeWithoutTransaction { work($0) } }
            })
        return SQLiteCatalog(database: database, changes: changes, sqliteVersion: version, pool: pool, ownsPool: false)
    }
}
