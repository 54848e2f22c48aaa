// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Storage
import VaultModel

/// One bound value of a statement; nil is NULL.
typealias SQLValue = (any DatabaseValueConvertible)?

/// Prepared statements are cached per connection under their text, so texts come from a small fixed set and values are
/// always bound.
extension Database {
    /// Runs one statement; returns how many rows it changed.
    @discardableResult
    func change(_ sql: String, _ values: [SQLValue] = []) throws -> Int {
        try cachedStatement(sql: sql).execute(arguments: StatementArguments(values))
        return changesCount
    }

    /// All rows of a query that carries its own LIMIT (or is bounded by nature).
    func all<T>(
        _ sql: String, _ values: [SQLValue] = [], from table: String, _ decode: (inout ColumnReader) throws -> T
    ) throws -> [T] {
        let rows = try Row.fetchCursor(cachedStatement(sql: sql), arguments: StatementArguments(values))
        var decoded: [T] = []
        while let row = try rows.next() {
            var reader = ColumnReader(row, table: table)
            decoded.append(try decode(&reader))
        }
        return decoded
    }

    /// The one row of a query, or nil.
    func one<T>(
        _ sql: String, _ values: [SQLValue] = [], from table: String, _ decode: (inout ColumnReader) throws -> T
    ) throws -> T? {
        try all(sql, values, from: table, decode).first
    }

    /// The one number of a query such as `count(*)`; NULL and no row are nil.
    func number(_ sql: String, _ values: [SQLValue] = [], from table: String) throws -> Int64? {
        try one(sql, values, from: table) { try $0.optionalInteger() } ?? nil
    }
}

extension UniqueIdentifier {
    var sql: Data { Data(bytes) }
}

extension Timestamp {
    var sql: Int64 { milliseconds }
}

extension [UInt8] {
    var sql: Data { Data(self) }
}

extension UInt64 {
    /// SQLite's integers have 63 bits for us; nothing real comes near that.
    func sql() throws(StorageError) -> Int64 {
        guard let value = Int64(exactly: self) else {
            throw StorageError(
                .unusable, "\(self) does not fit the 63 bits of a catalog column: a defect of the caller")
        }
        return value
    }
}

/// How many rows a page may have whatever the caller says: keeps the memory of one call bounded.
func pageLimit(_ limit: Int) -> Int64 { Int64(Swift.max(0, Swift.min(limit, 10_000))) }
