// SPDX-License-Identifier: Apache-2.0

import Storage
public import VaultModel

extension VaultEngine {
    /// Deletes an archive; succeeds when it was deleted before. Its bytes go when the grace and the last output that needs them have ended.
    /// Durable on return.
    public func deleteArchive(_ location: VaultLocation, archiveID: String) async throws(VaultError) {
        try await vaultErrors("deleting an archive") {
            let vault = try await activeVault(location)
            guard let id = keyring.identifiers.parse(archiveID, kind: .archive, account: location.account) else {
                throw Messages.archiveNotFound(archiveID)
            }
            guard id.vault == vault.uid else { throw Messages.foreignArchive(location) }
            // An id that verifies but names nothing was deleted so long ago that nothing of it is left.
            guard let archive = try await catalog.archive(ArchiveUID(words: id.uid)), archive.state == .stored else { return }
            let now = clock.now()
            let purgeAfter = now.advanced(by: configuration.deletionGrace)
            try await freeingRoom {
                _ = try await writeDeletionRecord(archive, in: vault, at: now, purgeAfter: purgeAfter)
                _ = try await catalog.deleteArchive(archive.uid, at: now, purgeAfter: purgeAfter, vaultGeneration: nil)
            }
        }
    }
}
