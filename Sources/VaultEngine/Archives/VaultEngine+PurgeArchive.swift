// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Logging
import SealedArchive
import Storage
public import VaultModel

extension VaultEngine {
    /// Destroys the bytes of a deleted archive now, without its grace: parts, manifests with the wrapped data key, upload records, staged
    /// outputs. Durable on return, and then nowhere in the catalog's file or log either.
    ///
    /// Refused for an archive that is not deleted, that an output served in place still needs, in a vault with a completed lock (there the
    /// grace is what a wrong deletion can be noticed in), and while catalog and blobs are of different histories.
    ///
    ///     entry archive:Purge, outputs gone ▶ list of what goes (fact) ▶ blobs deleted ▶ receipt (the same fact), entry with its hash ▶ row gone
    /// - Returns: the signed receipt (Docs/Formats/Statement-v1.md §3); ``purgeReceipt(_:archiveID:)`` has it again.
    public func purgeArchive(_ location: VaultLocation, archiveID: String) async throws(VaultError) -> String {
        try await vaultErrors("purging an archive") {
            guard checkpoints.history.isConsistent else {
                throw VaultError(.unavailable, "Nothing is purged: \(checkpoints.history.text). Find out why, then: coldvault checkpoint confirm.")
            }
            let (vault, uid) = try await purged(location, archiveID)
            guard let archive = try await catalog.archive(uid) else {
                throw VaultError(
                    .notFound, "The archive was purged before (then --receipt shows the receipt), or was never stored: \(archiveID)")
            }
            guard archive.state == .deleted else {
                throw VaultError(.invalidParameter, "The archive is not deleted: delete it first, as its vault's policies allow. \(archiveID)")
            }
            guard try settings(of: vault).settings.lock?.state != .locked else {
                throw VaultError(
                    .accessDenied, "The vault \(location.arn) is locked: its archives' bytes go when the deletion grace ends, not before.")
            }
            let begin = try audit(
                .vault(vault.location, .archive, "archive:Purge", by: .operator, ["archiveId": .string(archive.id)]))
            switch try await freeingRoom({ try await catalog.purgeNow(uid, at: clock.now(), audit: begin) }) {
            case .due(let outputs):
                for blob in try outputs.map({ try blobID($0) }) { try await warm.delete(blob) }
                try await noteWhatGoes(archive, outputs, in: vault)
            case .pinned(let until):
                throw VaultError(
                    .unavailable,
                    "The output of a finished job is served out of this archive until \(until.iso8601Seconds); it is purged then, by itself.")
            case .notDeleted: throw Messages.archiveNotFound(archiveID)
            }
            try await ArchivePurge(engine: self).purge(archive, in: vault)
            let receipt = try await storedReceipt(uid, of: archiveID, in: vault)
            try await ArchivePurge(engine: self).forget(archive, in: vault, audit: .none)
            try await catalog.truncateLog()
            logger.notice("a deleted archive was purged on request", metadata: ["archive": "\(archive.id)"])
            return receipt
        }
    }

    /// The receipt of an archive that was purged on request, as it was signed. Nothing is destroyed.
    public func purgeReceipt(_ location: VaultLocation, archiveID: String) async throws(VaultError) -> String {
        try await vaultErrors("reading a receipt") {
            let (vault, uid) = try await purged(location, archiveID)
            guard try await catalog.archive(uid) == nil else {
                throw VaultError(.notFound, "The archive was not purged: \(archiveID)")
            }
            return try await storedReceipt(uid, of: archiveID, in: vault)
        }
    }

    private func purged(_ location: VaultLocation, _ archiveID: String) async throws -> (VaultRow, ArchiveUID) {
        let vault = try await activeVault(location)
        guard let identifier = keyring.identifiers.parse(archiveID, kind: .archive, account: location.account),
            identifier.vault == vault.uid
        else { throw Messages.archiveNotFound(archiveID) }
        return (vault, ArchiveUID(words: identifier.uid))
    }

    // MARK: The receipt

    /// First the list of what goes, `{"going": body}`, then the signed receipt itself.
    private static func purgeFact(_ uid: ArchiveUID) -> String { "purge/\(uid.hex)" }

    /// Before the first blob goes: after a crash what is left says nothing about what was there.
    private func noteWhatGoes(_ archive: ArchiveRow, _ outputs: [String], in vault: VaultRow) async throws {
        guard try await catalog.fact(Self.purgeFact(archive.uid)) == nil else { return }
        let blobs = try await ArchivePurge(engine: self).list(archive, in: vault)
        let versions = Set([archive.keyVersion] + blobs.compactMap(\.keyVersion)).sorted()
        let masters = Set(vault.keys.filter { versions.contains($0.version) }.map(\.masterVersion)).sorted()
        let going: JSONValue = [
            "going": [
                "subject": "archive", "account": .string(vault.location.account.digits),
                "region": .string(vault.location.region.code), "vaultName": .string(vault.location.name.text),
                "vault": .string(vault.uid.hex), "archiveId": .string(archive.id), "archiveUid": .string(archive.uid.hex),
                "deleted": archive.deleted.map { .integer($0.milliseconds) } ?? .null, "blobs": .array(blobs.map(\.json)),
                "stagedOutputs": .array(outputs.map { .string($0) }),
                "keyVersions": .array(versions.map { .integer(Int64($0)) }),
                "masterVersions": .array(masters.map { .integer(Int64($0)) }),
            ]
        ]
        try await freeingRoom {
            try await catalog.setFact(Self.purgeFact(archive.uid), going.canonicalString(), audit: .none)
        }
    }

    /// The receipt of a purge whose blobs are gone; signed now when a crash came before that.
    private func storedReceipt(_ uid: ArchiveUID, of archiveID: String, in vault: VaultRow) async throws -> String {
        guard let text = try await catalog.fact(Self.purgeFact(uid)) else {
            throw VaultError(.notFound, "There is no receipt: the archive was not purged on request. \(archiveID)")
        }
        guard var body = try JSONParser.parse(Array(text.utf8), limits: JSONLimits(maxBytes: 64 << 20))["going"]?.objectValue else {
            return text
        }
        let now = clock.now()
        body["destroyed"] = .integer(now.milliseconds)
        body["stillOpenedBy"] = try await keyringBackups()
        body["advice"] = .string(
            "Copies of these blobs made before, on mirrors or in backups, open with the key versions listed: to make them worthless, re-wrap the "
                + "vault, destroy those versions, rotate and destroy the master key versions over them, and destroy the keyring backups listed.")
        let receipt = String(decoding: try keyring.statement(.receipt, created: now, body: body).encode(), as: UTF8.self)
        let end = try audit(
            .vault(
                vault.location, .archive, "archive:RemoveBytes", by: .operator,
                ["archiveId": .string(archiveID), "receipt": .string(SHA256Hasher.hash(Array(receipt.utf8)).hex)]))
        try await freeingRoom { try await catalog.setFact(Self.purgeFact(uid), receipt, audit: end) }
        return receipt
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
