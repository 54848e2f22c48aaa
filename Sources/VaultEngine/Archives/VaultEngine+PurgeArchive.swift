// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Logging
import SealedArchive
import Storage
public import VaultModel

extension VaultEngine {
    /// Destroys the bytes of a deleted archive now, without its grace: parts, manifests with the wrapped data key, upload records. Durable on
    /// return, and then nowhere in the catalog's file or log either.
    ///
    /// Refused for an archive that is not deleted, that an output served in place still needs, and in a vault with a completed lock: there the
    /// grace is what a wrong deletion can be noticed in.
    /// - Returns: the signed receipt (Docs/Formats/Statement-v1.md §3).
    public func purgeArchive(_ location: VaultLocation, archiveID: String) async throws(VaultError) -> String {
        try await vaultErrors("purging an archive") {
            let vault = try await activeVault(location)
            guard let identifier = keyring.identifiers.parse(archiveID, kind: .archive, account: location.account),
                identifier.vault == vault.uid
            else { throw Messages.archiveNotFound(archiveID) }
            let uid = ArchiveUID(words: identifier.uid)
            guard let archive = try await catalog.archive(uid) else {
                throw VaultError(.notFound, "The archive was purged before, or was never stored: \(archiveID)")
            }
            guard archive.state == .deleted else {
                throw VaultError(.invalidParameter, "The archive is not deleted: delete it first, as its vault's policies allow. \(archiveID)")
            }
            guard try settings(of: vault).settings.lock?.state != .locked else {
                throw VaultError(
                    .accessDenied, "The vault \(location.arn) is locked: its archives' bytes go when the deletion grace ends, not before.")
            }
            switch try await freeingRoom({ try await catalog.purgeNow(uid, at: clock.now(), audit: .none) }) {
            case .due: break
            case .pinned(let until):
                throw VaultError(
                    .unavailable,
                    "The output of a finished job is served out of this archive until \(until.iso8601Seconds); it is purged then, by itself.")
            case .notDeleted: throw Messages.archiveNotFound(archiveID)
            }
            let blobs = try await ArchivePurge(engine: self).purge(archive, in: vault, isNoted: true)
            let receipt = try await purgeReceipt(archive, blobs, in: vault)
            try await catalog.removeArchive(uid, audit: .none)
            try await catalog.truncateLog()
            logger.notice("a deleted archive was purged on request", metadata: ["archive": "\(archive.id)"])
            return receipt
        }
    }

    private func purgeReceipt(_ archive: ArchiveRow, _ blobs: [ArchivePurge.Blob], in vault: VaultRow) async throws -> String {
        let now = clock.now()
        let versions = Set([archive.keyVersion] + blobs.compactMap(\.keyVersion)).sorted()
        let masters = Set(vault.keys.filter { versions.contains($0.version) }.map(\.masterVersion)).sorted()
        let statement = try keyring.statement(
            .receipt, created: now,
            body: [
                "subject": "archive", "destroyed": .integer(now.milliseconds),
                "account": .string(vault.location.account.digits), "region": .string(vault.location.region.code),
                "vaultName": .string(vault.location.name.text), "vault": .string(vault.uid.hex),
                "archiveId": .string(archive.id), "archiveUid": .string(archive.uid.hex),
                "deleted": archive.deleted.map { .integer($0.milliseconds) } ?? .null,
                "blobs": .array(blobs.map(\.json)),
                "keyVersions": .array(versions.map { .integer(Int64($0)) }),
                "masterVersions": .array(masters.map { .integer(Int64($0)) }),
                "stillOpenedBy": try await keyringBackups(),
                "advice": .string(
                    "Copies of these blobs made before, on mirrors or in backups, open with the key versions listed: to make them worthless, re-wrap the "
                        + "vault, destroy those versions, rotate and destroy the master key versions over them, and destroy the keyring backups listed. An output "
                        + "that was staged lives until its job expires."),
            ])
        return String(decoding: statement.encode(), as: UTF8.self)
    }
}

extension ArchivePurge.Blob {
    fileprivate var json: JSONValue {
        [
            "name": .string(id.name), "bytes": .integer(Int64(clamping: bytes)), "kind": .string(kind),
            "sha256": .optional(sha256?.hex),
        ]
    }
}
