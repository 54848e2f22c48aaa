// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import Logging
import NIOCore
import SealedArchive
import Storage
import TreeHash
import VaultModel

extension ArchiveReader {
    /// The verified manifest of the archive's generation, and the data key out of it.
    ///
    /// A re-wrap replaces manifests. Whoever read the catalog before it may come when the old one is gone, and a catalog that was put back from
    /// a copy names old ones only: the manifest of the highest generation that verifies says the same of the archive.
    /// - Parameter mayFollow: takes a newer generation where the one asked for is missing; else that is an integrity error.
    static func readManifest(
        of archive: ArchiveRow, in vault: VaultRow, engine: VaultEngine, from store: any BlobStore, mayFollow: Bool
    ) async throws -> (manifest: Manifest, dataKey: SecretKey) {
        let id = try ManifestRewrap.name(archive.uid, in: vault, generation: archive.generation)
        if let blob = try await bytes(of: id, in: store) {
            return try await openManifest(
                blob, of: archive, generation: archive.generation, keyVersion: archive.keyVersion, in: vault, engine: engine)
        }
        let missing = StorageError(.integrity, "The manifest \(id) is missing from the blob store.")
        guard mayFollow, let current = try await engine.catalog.vault(vault.uid) else { throw missing }
        let newer = try await engine.manifestGenerations(of: archive.uid, in: vault).filter { $0 > archive.generation }
        for generation in newer.reversed() {
            let id = try ManifestRewrap.name(archive.uid, in: vault, generation: generation)
            guard let blob = try await bytes(of: id, in: store) else { continue }
            do {
                let version = try BlobPreamble(parsing: blob).index
                return try await openManifest(
                    blob, of: archive, generation: generation, keyVersion: version, in: current, engine: engine)
            } catch let error as FormatError {
                engine.logger.error("a manifest does not verify and is passed over", metadata: ["blob": "\(id)", "error": "\(error)"])
            }
        }
        throw missing
    }

    private static func openManifest(
        _ blob: [UInt8], of archive: ArchiveRow, generation: UInt64, keyVersion: UInt32, in vault: VaultRow, engine: VaultEngine
    ) async throws -> (manifest: Manifest, dataKey: SecretKey) {
        let account = vault.location.account.digits
        let vaultKey = try engine.keyring.key(of: vault, version: keyVersion)
        let manifest = try await engine.compute.run {
            let expectation = BlobExpectation(.manifest, uid: archive.uid.bytes, index: keyVersion, number: generation)
            return try Manifest(
                decoding: SealedBlob.open(
                    blob, expecting: expectation, account: account, vaultUID: vault.uid.bytes, key: vaultKey
                ).plaintext)
        }
        guard let wrap = manifest.keys.first(where: { $0.kind == WrappedKey.serviceKind && $0.version == keyVersion }) else {
            throw FormatError.malformed("manifest without a service wrap of key version \(keyVersion)")
        }
        let dataKey = try KeyWrap.unwrap(wrap.wrapped, under: vaultKey, context: ArchiveBirth.wrapContext(vault, archive.uid))
        guard manifest.archiveUID == archive.uid.bytes, manifest.size == archive.size,
            TreeHash.combine(manifest.parts.map(\.treeHash)) == manifest.treeHash
        else { throw FormatError.malformed("manifest: it does not describe the archive of the catalog") }
        return (manifest, dataKey)
    }

    /// Nil when it is not there, or goes while it is read.
    private static func bytes(of id: BlobID, in store: any BlobStore) async throws -> [UInt8]? {
        guard let bytes = try await store.size(of: id) else { return nil }
        guard bytes <= UInt64(SealedBlob.maxBlobBytes) else { throw FormatError.limitExceeded("a manifest of \(bytes) bytes") }
        var blob: [UInt8] = []
        blob.reserveCapacity(Int(bytes))
        do throws(StorageError) {
            while UInt64(blob.count) < bytes {
                let end = min(bytes, UInt64(blob.count) + UInt64(store.maxReadBytes))
                blob += try await store.read(id, range: UInt64(blob.count)..<end).readableBytesView
            }
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
        return blob
    }
}
