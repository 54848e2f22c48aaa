// SPDX-License-Identifier: Apache-2.0

public import Cryptography
public import Storage

/// Custody by a root key that lies in a file (``RootKeyFile``): the operating slot of a vault on one machine.
///
/// The root key stays in memory while the custody lives; wrapping touches no file and does not block.
public struct FileKeyCustody: KeyCustody {
    private let root: RootKeyWrap

    public init(rootKey: SecretKey, random: any RandomByteSource) {
        root = RootKeyWrap(rootKey: rootKey, random: random)
    }

    public var kind: String { "file" }
    public var reference: String { root.reference }
    public func wrap(_ key: SecretKey, context: [UInt8]) async throws(StorageError) -> [UInt8] {
        try root.wrap(key, context: context)
    }
    public func unwrap(_ wrapped: [UInt8], context: [UInt8]) async throws(StorageError) -> SecretKey {
        try root.unwrap(wrapped, context: context)
    }
}

/// Custody by the recovery key that was printed once at `init`: the slot that opens when the root key file is lost.
public struct RecoveryKeyCustody: KeyCustody {
    private let root: RootKeyWrap

    public init(recoveryKey: SecretKey, random: any RandomByteSource) {
        root = RootKeyWrap(rootKey: recoveryKey, random: random)
    }

    public var kind: String { "recovery" }
    public var reference: String { root.reference }
    public func wrap(_ key: SecretKey, context: [UInt8]) async throws(StorageError) -> [UInt8] {
        try root.wrap(key, context: context)
    }
    public func unwrap(_ wrapped: [UInt8], context: [UInt8]) async throws(StorageError) -> SecretKey {
        try root.unwrap(wrapped, context: context)
    }
}
