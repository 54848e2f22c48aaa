// SPDX-License-Identifier: Apache-2.0

import GRDB
import Storage

/// The one place where SQLite's errors become those of the contract.
enum CatalogFailure {
    /// Of a statement, or of anything else before a COMMIT: nothing has changed.
    static func beforeCommit(_ error: any Error) -> StorageError {
        if let error = error as? StorageError { return error }
        guard let error = error as? DatabaseError else {
            return StorageError(.unusable, "the catalog failed in an unforeseen way; see the cause", cause: error)
        }
        switch error.extendedResultCode {
        case .SQLITE_CONSTRAINT_UNIQUE, .SQLITE_CONSTRAINT_PRIMARYKEY, .SQLITE_CONSTRAINT_ROWID:
            return StorageError(.alreadyExists, "the catalog holds such a row already", cause: error)
        case .SQLITE_CONSTRAINT_FOREIGNKEY:
            return StorageError(.conflict, "a row that this change refers to is not in the catalog", cause: error)
        case .SQLITE_CONSTRAINT:
            return StorageError(
                .unusable, "the catalog's own rules forbid this row: a defect of the caller", cause: error)
        case .SQLITE_FULL:
            return StorageError(.noSpace, "no space for the catalog; free some on its file system", cause: error)
        case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_NOMEM, .SQLITE_INTERRUPT, .SQLITE_PROTOCOL, .SQLITE_IOERR_NOMEM:
            return StorageError(.transient, "the catalog is busy; does another process hold its file?", cause: error)
        case .SQLITE_IOERR, .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return StorageError(
                .integrity,
                "the catalog file cannot be read or written as it must; check the medium, then restore or rebuild",
                cause: error)
        default:
            return StorageError(
                .unusable, "SQLite refused the operation; check the catalog file's permissions", cause: error)
        }
    }

    /// Of the COMMIT itself. Without space SQLite never wrote the frame that commits, and when busy it never began;
    /// after anything else the frame may be on the medium or not.
    static func ofCommit(_ error: any Error) -> StorageError {
        let known = beforeCommit(error)
        switch known.code {
        case .noSpace, .transient, .alreadyExists, .conflict: return known
        case .notFound, .integrity, .outcomeUnknown, .unusable:
            return StorageError(
                .outcomeUnknown,
                "the commit may or may not be on the medium; the catalog takes no more changes until it is reopened",
                cause: error)
        }
    }

    /// Of reading a value that the schema does not allow.
    static func column(_ table: String, _ index: Int) -> StorageError {
        StorageError(
            .integrity,
            "a row of catalog table \(table) holds an impossible value in column \(index); restore or rebuild")
    }
}
