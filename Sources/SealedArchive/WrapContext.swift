// SPDX-License-Identifier: Apache-2.0

/// The contexts of key wraps: what a wrapped key is for and where it belongs, so that a wrap moved elsewhere does not
/// open. Docs/Formats/Keyring-v1.md §4.
public struct WrapContext: Hashable, Sendable {
    /// `coldvault/wrap/v1`, 0x00, purpose, 0x00, fields of fixed width.
    public let bytes: [UInt8]

    private init(_ purpose: StaticString, _ fields: [UInt8]) {
        let purpose = UnsafeBufferPointer(start: purpose.utf8Start, count: purpose.utf8CodeUnitCount)
        bytes = Array("coldvault/wrap/v1".utf8) + [0] + Array(purpose) + [0] + fields
    }

    /// An archive's data key under a vault key.
    public static func dataKey(account: String, vaultUID: [UInt8], archiveUID: [UInt8]) -> WrapContext {
        precondition(archiveUID.count == 16, "an archive uid is 16 bytes")
        return WrapContext("data-key", Place.bytes(account: account, vaultUID: vaultUID) + archiveUID)
    }

    /// A version of a vault key under the master key.
    public static func vaultKey(account: String, vaultUID: [UInt8], version: UInt32) -> WrapContext {
        WrapContext("vault-key", Place.bytes(account: account, vaultUID: vaultUID) + versionBytes(version))
    }

    /// A version of the master key under a root key.
    public static func masterKey(version: UInt32) -> WrapContext { WrapContext("master-key", versionBytes(version)) }

    /// A version of the identifier key under a root key.
    public static func identifierKey(version: UInt32) -> WrapContext {
        WrapContext("identifier-key", versionBytes(version))
    }

    /// A version of the signing key's seed under a root key.
    public static func signingKey(version: UInt32) -> WrapContext { WrapContext("signing-key", versionBytes(version)) }

    /// A version of the audit log's key under a root key.
    public static func auditKey(version: UInt32) -> WrapContext { WrapContext("audit-key", versionBytes(version)) }

    /// The recovery key under a root key.
    public static func recoveryKey(version: UInt32) -> WrapContext {
        WrapContext("recovery-key", versionBytes(version))
    }

    /// The key of a staged output under a vault key.
    public static func jobKey(account: String, vaultUID: [UInt8], stagedUID: [UInt8]) -> WrapContext {
        precondition(stagedUID.count == 16, "a staged uid is 16 bytes")
        return WrapContext("job-key", Place.bytes(account: account, vaultUID: vaultUID) + stagedUID)
    }

    private static func versionBytes(_ version: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: version)
        return bytes
    }
}
