// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// An archive's next manifest: the same archive with its data key under the newest version of the vault key. No byte of the archive is read
/// or written. Docs/Formats/Manifest-v1.md §3.
struct ManifestRewrap: Sendable {
    let archive: ArchiveRow
    let vault: VaultRow
    private let manifest: Manifest
    private let key: SecretKey
    let keyVersion: UInt32
    let column: SealedColumnValue

    /// What one costs in memory while it is made.
    static func workingBytes(_ archive: ArchiveRow, in engine: VaultEngine) -> Int {
        (64 << 10) + ArchiveReader.manifestBytes(of: archive, in: engine)
    }

    /// Reads and opens the manifest that is in force.
    init(_ archive: ArchiveRow, in vault: VaultRow, engine: VaultEngine) async throws {
        let opened = try await ArchiveReader.readManifest(of: archive, in: vault, engine: engine, from: engine.cold, mayFollow: false)
        let (version, key) = try engine.keyring.currentKey(of: vault)
        var manifest = opened.manifest
        let wrapped = try KeyWrap.wrap(
            opened.dataKey, under: key, context: ArchiveBirth.wrapContext(vault, archive.uid), random: engine.random)
        var service = manifest.keys.first { $0.kind == WrappedKey.serviceKind }
            ?? WrappedKey(keyID: vault.uid.hex, version: version, wrapped: wrapped)
        service.keyID = vault.uid.hex
        service.version = version
        service.wrapped = wrapped
        manifest.keys = [service] + manifest.keys.filter { $0.kind != WrappedKey.serviceKind }
        self.archive = archive
        self.vault = vault
        self.manifest = manifest
        self.key = key
        keyVersion = version
        column = try engine.keyring.reseal(
            archive.sealed, table: ArchiveColumn.table, uid: archive.uid.bytes, of: vault, random: engine.random)
    }

    static func name(_ archive: ArchiveUID, in vault: VaultRow, generation: UInt64) throws(VaultError) -> BlobID {
        try blobID(
            BlobName.manifest(
                account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: archive.bytes,
                generation: generation
            ).text)
    }

    /// The blob of that generation.
    func blob(generation: UInt64, engine: VaultEngine) async throws -> (id: BlobID, bytes: ByteBuffer) {
        let sealed = try await engine.compute.run { [self] in
            var manifest = manifest
            manifest.generation = generation
            return try SealedBlob.seal(
                plaintext: manifest.encode(),
                preamble: BlobPreamble(kind: .manifest, uid: archive.uid.bytes, index: keyVersion, number: generation),
                account: vault.location.account.digits, vaultUID: vault.uid.bytes, key: key, random: engine.random)
        }
        return (try Self.name(archive.uid, in: vault, generation: generation), ByteBuffer(bytes: sealed))
    }
}

extension Keyring {
    /// A column's content under the vault's newest key; not looked at on the way.
    func reseal(
        _ column: SealedColumnValue, table: String, uid: [UInt8], of vault: VaultRow, random: any RandomByteSource
    ) throws(VaultError) -> SealedColumnValue {
        let old = try key(of: vault, version: column.keyVersion)
        let (version, key) = try currentKey(of: vault)
        guard version != column.keyVersion else { return column }
        do {
            let plaintext = try SealedColumn.open(column.bytes, table: table, rowUID: uid, key: old)
            return SealedColumnValue(
                keyVersion: version,
                bytes: try SealedColumn.seal(plaintext, table: table, rowUID: uid, key: key, random: random))
        } catch {
            throw .wrapping(error, "sealing a column of table \(table) again")
        }
    }
}
