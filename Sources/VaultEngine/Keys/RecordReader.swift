// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// Reads sealed documents back: state records and manifests. What it returns has verified in the place that its name gives.
struct RecordReader: Sendable {
    let store: any BlobStore

    /// Whether a failure speaks against the bytes, rather than of a store that did not answer.
    static func condemns(_ error: any Error) -> Bool {
        switch error {
        case let error as StorageError: error.code == .integrity || error.code == .notFound
        case is CancellationError: false
        case let error as VaultError: error.code == .integrity
        default: true
        }
    }

    /// A whole small blob.
    func bytes(of blob: BlobID, maxBytes: Int) async throws -> [UInt8] {
        guard let size = try await store.size(of: blob) else {
            throw StorageError(.notFound, "The blob \(blob) is missing from its store.")
        }
        return try await bytes(of: blob, size: size, maxBytes: maxBytes)
    }

    /// The same for a blob whose size is known, from a listing.
    func bytes(of blob: BlobID, size: UInt64, maxBytes: Int) async throws -> [UInt8] {
        guard size <= UInt64(maxBytes) else { throw FormatError.limitExceeded("a document of \(size) bytes") }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(size))
        while UInt64(bytes.count) < size {
            let upTo = min(size, UInt64(bytes.count + store.maxReadBytes))
            bytes += try await store.read(blob, range: UInt64(bytes.count)..<upTo).readableBytesView
        }
        return bytes
    }

    /// What the record says, and the version of the key that seals it.
    /// - Parameter key: the key of a version: of the master key for accounts and vaults, else of the vault's.
    func record(
        _ blob: BlobID, _ type: RecordType, uid: [UInt8], generation: UInt64, account: AccountID, vault: VaultUID,
        key: (UInt32) throws -> SecretKey
    ) async throws -> (record: StateRecord, keyVersion: UInt32) {
        let bytes = try await bytes(of: blob, maxBytes: StateRecord.maxBytes + 4096)
        let version = try BlobPreamble(parsing: bytes).index
        let opened = try SealedBlob.open(
            bytes, expecting: BlobExpectation(.record, uid: uid, index: version, number: generation),
            account: account.digits, vaultUID: vault.bytes, key: try key(version))
        let record = try StateRecord(decoding: opened.plaintext, expecting: type)
        guard record.account == account.digits, record.vaultUID == vault.bytes, record.generation == generation else {
            throw FormatError.wrongIdentity("a record that is not what its name says")
        }
        return (record, version)
    }
}
