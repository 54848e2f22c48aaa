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
