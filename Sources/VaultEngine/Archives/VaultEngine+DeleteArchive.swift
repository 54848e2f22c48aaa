// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Logging
import Storage
public import VaultModel

extension VaultEngine {
    /// Deletes an archive if the caller may; succeeds when it was deleted before. Its bytes go when the grace and the last output that needs
    /// them have ended. Durable on return.
    ///
    /// Judgement and deletion are one: no change of the vault's policies or lock comes between them. In this process the gate sees to that,
    /// and the catalog refuses when another process has changed the vault.
    public func deleteArchive(_ caller: Caller, _ location: VaultLocation, archiveID: String) async throws(VaultError) {
        try await vaultErrors("deleting an archive") {
            try await adoptIfMissed(location)
            try await gate.shared(location) {
                let time = try await clockKeeper.reading()
                let judged = try await judge(
                    caller, .deleteArchive, on: .archive(location, id: archiveID), at: time)
                try enforce(judged, caller, .deleteArchive)
                guard let vault = judged.vault else { throw Messages.vaultNotFound(location) }
                guard let id = judged.identifier else { throw Messages.archiveNotFound(archiveID) }
                guard id.vault == vault.uid else { throw Messages.foreignArchive(location) }
                // An id that verifies but names nothing stored was deleted before.
                guard let archive = judged.archive else { return }
                guard time.isTrusted || !judged.isLocked else { throw Messages.clockNotTrusted(location) }
                try await delete(archive, in: vault, by: caller)
            }
        }
    }

    /// As the root of the vault's own account, whom the vault's lock and policies bind like everybody.
    public func deleteArchive(_ location: VaultLocation, archiveID: String) async throws(VaultError) {
        let root = Caller(principal: Principal(account: location.account), region: location.region, accessKeyID: "none")
        try await deleteArchive(root, location, archiveID: archiveID)
    }

    /// The deletion of an archive of the vault as it was judged: the durable record, then the catalog.
    private func delete(_ archive: ArchiveRow, in vault: VaultRow, by caller: Caller) async throws {
        let now = clock.now()
        let purgeAfter = now.advanced(by: configuration.deletionGrace)
        let audit = try audit(
            .vault(
                vault.location, .archive, "glacier:DeleteArchive", by: .caller(caller),
                ["archiveId": .string(archive.id), "graceEnds": .integer(purgeAfter.milliseconds)]))
        try await freeingRoom {
            // Nil: somebody else has deleted it meanwhile.
            guard let record = try await writeDeletionRecord(archive, in: vault, at: now, purgeAfter: purgeAfter) else { return }
            let outcome: ArchiveDeletion
            do {
                outcome = try await catalog.deleteArchive(
                    archive.uid, at: now, purgeAfter: purgeAfter, vaultGeneration: vault.generation, record: record.blob.name,
                    audit: audit)
            } catch {
                // The archive is still there: a record that says otherwise must not stay.
                try await doomUnlessUnknown([record.blob], after: error)
                throw error
            }
            // Another deletion's record says it already, or the archive stays.
            if outcome != .deleted { try await doom([record.blob], of: .cold) }
            guard outcome != .vaultChanged else {
                logger.error(
                    "another process changed a vault while an archive was deleted", metadata: ["vault": "\(vault.uid)"])
                throw VaultError(
                    .internalFailure, "The vault was changed while the archive was being deleted. Please try again.")
            }
        }
    }
}
