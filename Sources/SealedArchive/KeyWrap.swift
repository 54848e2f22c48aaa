// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// A key sealed under another key: 104 bytes. Docs/Formats/Keyring-v1.md §4.
public enum KeyWrap {
    /// Length of a wrap.
    public static let byteCount = Seal.sealedKeyBytes

    /// Wraps `key` for one purpose and place.
    public static func wrap(
        _ key: SecretKey, under wrappingKey: SecretKey, context: WrapContext, random: some RandomByteSource
    ) throws(SealError) -> [UInt8] {
        try Seal.seal(keyMaterial: key, key: wrappingKey, context: context.bytes, random: random)
    }

    /// Unwraps a key; another purpose, place or wrapping key is `SealError.wrongKeyOrContext`.
    public static func unwrap(
        _ wrapped: [UInt8], under wrappingKey: SecretKey, context: WrapContext
    ) throws(SealError) -> SecretKey {
        try Seal.openKeyMaterial(wrapped, key: wrappingKey, context: context.bytes)
    }
}

/// A small value of a catalog row, sealed so that it opens only in its own table and row. Docs/Formats/Record-v1.md §4.
public enum SealedColumn {
    /// Seals a column's plaintext under the vault key (or the master key for rows of an account).
    /// - Parameter rowUID: the row's unique, never reused bytes.
    public static func seal(
        _ plaintext: [UInt8], table: String, rowUID: [UInt8], key: SecretKey, random: some RandomByteSource
    ) throws(SealError) -> [UInt8] {
        try Seal.seal(plaintext, key: key, context: context(table: table, rowUID: rowUID), random: random)
    }

    /// Opens a column.
    public static func open(
        _ sealed: [UInt8], table: String, rowUID: [UInt8], key: SecretKey
    ) throws(SealError) -> [UInt8] {
        try Seal.open(sealed, key: key, context: context(table: table, rowUID: rowUID))
    }

    static func context(table: String, rowUID: [UInt8]) -> [UInt8] {
        precondition(!table.utf8.contains(0), "a table name has no zero byte")
        return Array("coldvault/column/v1".utf8) + [0] + Array(table.utf8) + [0] + rowUID
    }
}
