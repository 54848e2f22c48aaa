// SPDX-License-Identifier: Apache-2.0

import GRDB
import Storage
import VaultModel

/// Reads the columns of one row from left to right, each checked: a damaged file gives an integrity error, never a
/// trap.
struct ColumnReader {
    private let row: Row
    private let table: String
    private var index = 0

    init(_ row: Row, table: String) {
        self.row = row
        self.table = table
    }

    private mutating func next() -> DatabaseValue.Storage {
        let value: DatabaseValue = row[index]
        index += 1
        return value.storage
    }

    private var damage: StorageError { CatalogFailure.column(table, index - 1) }

    private func required<T>(_ value: T?) throws -> T {
        guard let value else { throw damage }
        return value
    }

    mutating func optionalInteger() throws -> Int64? {
        switch next() {
        case .int64(let value): return value
        case .null: return nil
        case .double, .string, .blob: throw damage
        }
    }

    mutating func optionalText() throws -> String? {
        switch next() {
        case .string(let value): return value
        case .null: return nil
        case .double, .int64, .blob: throw damage
        }
    }

    mutating func optionalBytes() throws -> [UInt8]? {
        switch next() {
        case .blob(let value): return [UInt8](value)
        // SQLite hands out an empty BLOB as such; only NULL is none.
        case .null: return nil
        case .double, .int64, .string: throw damage
        }
    }

    mutating func optionalUID<ID: UniqueIdentifier>() throws -> ID? {
        guard case .blob(let data) = try storageOrNull() else { return nil }
        return try required(ID(bytes: data))
    }

    private mutating func storageOrNull() throws -> DatabaseValue.Storage {
        let storage = next()
        switch storage {
        case .blob, .null: return storage
        case .double, .int64, .string: throw damage
        }
    }

    mutating func integer() throws -> Int64 { try required(optionalInteger()) }
    mutating func text() throws -> String { try required(optionalText()) }
    mutating func bytes() throws -> [UInt8] { try required(optionalBytes()) }
    mutating func uid<ID: UniqueIdentifier>() throws -> ID { try required(optionalUID()) }
    mutating func timestamp() throws -> Timestamp { Timestamp(milliseconds: try integer()) }
    mutating func optionalTimestamp() throws -> Timestamp? { try optionalInteger().map { Timestamp(milliseconds: $0) } }

    mutating func count() throws -> UInt64 { try required(UInt64(exactly: integer())) }
    mutating func optionalCount() throws -> UInt64? {
        guard let value = try optionalInteger() else { return nil }
        return try required(UInt64(exactly: value))
    }
    mutating func small() throws -> UInt32 { try required(UInt32(exactly: integer())) }

    /// A closed set of words.
    mutating func word<T: RawRepresentable<String>>(_: T.Type = T.self) throws -> T {
        try required(T(rawValue: text()))
    }

    /// Text that a vocabulary type must accept.
    mutating func parsed<T>(_ parse: (String) -> T?) throws -> T { try required(parse(text())) }
    mutating func optionallyParsed<T>(_ parse: (String) -> T?) throws -> T? {
        guard let text = try optionalText() else { return nil }
        return try required(parse(text))
    }

    mutating func flag() throws -> Bool {
        switch try integer() {
        case 0: return false
        case 1: return true
        default: throw damage
        }
    }

    mutating func sealed() throws -> SealedColumnValue {
        let version = try small()
        return SealedColumnValue(keyVersion: version, bytes: try bytes())
    }

    mutating func optionalSealed() throws -> SealedColumnValue? {
        let version = try optionalInteger()
        let bytes = try optionalBytes()
        guard let version, let bytes else { return nil }
        return SealedColumnValue(keyVersion: try required(UInt32(exactly: version)), bytes: bytes)
    }

    mutating func optionalRange() throws -> ByteRange? {
        let first = try optionalCount()
        let last = try optionalCount()
        guard let first, let last else { return nil }
        return try required(ByteRange(first: first, last: last))
    }
}
