// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// One way to wrap the keys that everything else hangs on: a key file, a printed recovery key, later a hardware token or a remote service.
///
/// Laws: unwrap(wrap(k, c), c) is k; with another context, another custody or any changed byte it throws `.integrity` and returns
/// nothing; two wraps of one key differ; the reference never changes for one root and says nothing about it.
public protocol KeyCustody: Sendable {
    /// `file`, `recovery`, … as it is written in key files.
    var kind: String { get }
    /// Which root key this is: 32 hexadecimal digits (Docs/Formats/Keyring-v1.md).
    var reference: String { get }
    func wrap(_ key: SecretKey, context: [UInt8]) async throws(StorageError) -> [UInt8]
    func unwrap(_ wrapped: [UInt8], context: [UInt8]) async throws(StorageError) -> SecretKey
}

/// Where the small files of the keyring live: outside blobs and catalog, copied to every mirror. Contents are opaque here.
public protocol KeyFileStore: Sendable {
    /// Names of all key files, sorted.
    func list() async throws(StorageError) -> [String]
    /// The whole file; `.notFound` when absent.
    func read(_ name: String) async throws(StorageError) -> [UInt8]
    /// Creates or atomically replaces the file; durable on return.
    func replace(_ name: String, with bytes: [UInt8]) async throws(StorageError)
    /// Removes the file; succeeds when there is none. Its name is gone durably on return; copies elsewhere are not its business.
    func remove(_ name: String) async throws(StorageError)
    /// Copies every key file into the directory `path`, which must not exist yet. Durable on return; returns how many.
    func copyAll(to path: String) async throws(StorageError) -> Int
}
