// SPDX-License-Identifier: Apache-2.0

import Cryptography
import SealedArchive
import Storage
import VaultModel

/// The identity and keys of an archive to be: minted when its upload begins, so that every part is sealed for where it will belong.
struct ArchiveBirth: Sendable {
    let uid: ArchiveUID
    let id: String
    let dataKey: SecretKey
    let wrappedDataKey: [UInt8]
    let keyVersion: UInt32
    let vaultKey: SecretKey

    /// A new archive with a fresh random data key under the vault's newest key.
    init(in vault: VaultRow, keyring: Keyring, random: any RandomByteSource) throws {
        uid = ArchiveUID(random: random)
        id = keyring.identifiers.mint(
            .archive, uid: uid.words, vault: vault.uid, account: vault.location.account, random: random
        ).text
        dataKey = SecretKey(random: random)
        (keyVersion, vaultKey) = try keyring.currentKey(of: vault)
        wrappedDataKey = try KeyWrap.wrap(
            dataKey, under: vaultKey, context: Self.wrapContext(vault, uid), random: random)
    }

    /// The archive that an open upload will become.
    init(of upload: UploadRow, in vault: VaultRow, keyring: Keyring) throws {
        uid = upload.archive
        id = upload.archiveID
        keyVersion = upload.keyVersion
        vaultKey = try keyring.key(of: vault, version: upload.keyVersion)
        wrappedDataKey = upload.wrappedDataKey
        dataKey = try KeyWrap.unwrap(upload.wrappedDataKey, under: vaultKey, context: Self.wrapContext(vault, upload.archive))
    }

    static func wrapContext(_ vault: VaultRow, _ archive: ArchiveUID) -> WrapContext {
        WrapContext.dataKey(account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: archive.bytes)
    }

    func manifestName(vault: VaultRow, generation: UInt64) -> String {
        BlobName.manifest(
            account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: uid.bytes, generation: generation
        ).text
    }

    func manifest(
        vault: VaultRow, generation: UInt64, created: Timestamp, description: String, size: UInt64, treeHash: SHA256Digest,
        parts: [ManifestPart]
    ) -> Manifest {
        Manifest(
            account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: uid.bytes, archiveID: id,
            generation: generation, createdMilliseconds: created.milliseconds, description: description, size: size, treeHash: treeHash,
            parts: parts,
            keys: [
                WrappedKey(keyID: vault.uid.hex, version: keyVersion, wrapped: wrappedDataKey)
            ])
    }
}
