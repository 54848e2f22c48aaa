// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import SealedArchive
import Storage
public import VaultModel

extension VaultEngine {
    /// Creates the vault; succeeds without a change when it exists. Durable on return.
    public func createVault(_ location: VaultLocation, by caller: Caller? = nil) async throws(VaultError) {
        try await vaultErrors("creating a vault") {
            // A vault of that name may be on its way out; then its deletion is finished first. Twice is enough: nobody else deletes the new one
            // unless asked to, and then the answer below is the truth of that moment.
            for _ in 0..<2 {
                if let existing = try await catalog.vault(at: location) {
                    if existing.state == .active { return }
                    try await finishDeletion(of: existing)
                }
                if try await insertVault(location, by: AuditActor(caller)) { return }
            }
            throw VaultError(.unavailable, "A vault of this name is being deleted. Please try again.")
        }
    }

    /// False when a vault that is being deleted still holds the name.
    private func insertVault(_ location: VaultLocation, by actor: AuditActor) async throws -> Bool {
        let now = clock.now()
        let uid = VaultUID(random: random)
        let key = try keyring.makeVaultKey(account: location.account, vault: uid, version: 1, now: now)
        let vault = VaultRow(
            uid: uid, location: location, state: .active, created: now, generation: 1, compression: nil, keys: [key], settings: nil)
        let record = try await writeVaultRecord(vault, .none, from: 1)
        let audit = try audit(
            .vault(location, "glacier:CreateVault", by: actor, ["keyVersion": 1, "vault": .string(uid.hex)]))
        switch try await catalog.createVault(vault, limit: Limits.maxVaultsPerAccountAndRegion, audit: audit) {
        case .created: return true
        case .exists(let other):
            try await doom([record.blob], of: .cold)
            return other.state == .active
        case .limitExceeded:
            try await doom([record.blob], of: .cold)
            throw VaultError(
                .limitExceeded,
                "The account has reached its limit of \(Limits.maxVaultsPerAccountAndRegion) vaults in region \(location.region). "
                    + "Delete a vault first.")
        }
    }

    public func describeVault(_ location: VaultLocation) async throws(VaultError) -> VaultDescription {
        Self.describe(try await activeVault(location))
    }

    /// Deletes an empty vault; succeeds when there is none. Durable on return.
    public func deleteVault(_ location: VaultLocation, by caller: Caller? = nil) async throws(VaultError) {
        try await vaultErrors("deleting a vault") {
            try await adoptIfMissed(location)
            guard let vault = try await catalog.vault(at: location) else { return }
            if vault.state == .active, try await isLocked(vault), try await holdsArchives(vault) {
                throw VaultError(.invalidParameter, "Vault not empty or recently written to: \(location.arn)")
            }
            let audit = try audit(
                .vault(location, "glacier:DeleteVault", by: AuditActor(caller), ["vault": .string(vault.uid.hex)]))
            switch try await freeingRoom({ try await catalog.beginVaultDeletion(vault.uid, audit: audit) }) {
            case .absent: return
            case .notEmpty:
                throw VaultError(.invalidParameter, "Vault not empty or recently written to: \(location.arn)")
            case .deleting(let row): try await freeingRoom { try await finishDeletion(of: row) }
            }
        }
    }

    private func isLocked(_ vault: VaultRow) async throws -> Bool {
        guard let lock = try settings(of: vault).settings.lock else { return false }
        return LockLifeCycle(stored: lock, at: try await clockKeeper.reading().now).lock != nil
    }

    /// Whether there are archives in the store, whatever the catalog counts: an older one, restored, does not know the newer archives.
    private func holdsArchives(_ vault: VaultRow) async throws -> Bool {
        let prefix = BlobName.vaultPrefix(account: vault.location.account.digits, vaultUID: vault.uid.bytes) + "archives/"
        var after: BlobID?
        // An archive's deletion record stands before its manifest.
        var deleted: [UInt8]?
        while true {
            let page = try await cold.list(prefix: prefix, after: after, limit: 1000)
            for entry in page {
                switch BlobName(entry.id.name) {
                case .deletion(_, _, let archive, _): deleted = archive
                case .manifest(_, _, let archive, _) where archive != deleted: return true
                default: break
                }
            }
            guard page.count == 1000, let last = page.last else { return false }
            after = last.id
        }
    }

    /// Rows that one transaction of a vault's deletion removes.
    private static let deletionStep = 500

    /// The second half of a deletion: the durable record, then the catalog. Also run at start for deletions that a crash interrupted.
    func finishDeletion(of vault: VaultRow) async throws {
        try await gate.exclusive(vault.location) {
            var gone = vault
            gone.state = .deleted
            gone.generation = try await writeVaultRecord(gone, try settings(of: vault).settings, from: vault.generation + 1).generation
            // It ends: nothing is added to a vault that is going.
            while try await catalog.shrinkDeletingVault(vault.uid, at: clock.now(), limit: Self.deletionStep) {}
            try await catalog.finishVaultDeletion(
                vault.uid, generation: gone.generation, at: clock.now(),
                audit: try audit(
                    .vault(vault.location, "vault:FinishDeletion", by: .service, ["vault": .string(vault.uid.hex)])))
        }
    }

    /// Vaults of an account and region in ASCII order from the name `from` on.
    public func listVaults(
        account: AccountID, region: Region, from: VaultName?, limit: Int
    ) async throws(VaultError) -> VaultPage {
        try await vaultErrors("listing vaults") {
            let rows = try await catalog.vaults(account: account, region: region, from: from, limit: limit + 1)
            return VaultPage(
                vaults: rows.prefix(limit).map(Self.describe), next: rows.count > limit ? rows[limit].location.name : nil)
        }
    }

    /// Chooses `lz4`, `none` or (nil) the service's default for new parts of the vault. Durable on return.
    public func setVaultCompression(_ location: VaultLocation, _ compression: String?) async throws(VaultError) {
        guard compression == nil || compression == "lz4" || compression == "none" else {
            throw VaultError(.invalidParameter, "Compression is lz4, none or default.")
        }
        try await vaultErrors("changing a vault's settings") {
            try await updateVault(
                try await activeVault(location),
                as: .vault(location, "vault:SetCompression", by: .operator, ["compression": .optional(compression)])
            ) { $0.compression = compression }
        }
    }

    static func describe(_ row: VaultRow) -> VaultDescription {
        VaultDescription(
            location: row.location, created: row.created, lastInventory: row.lastChange, archiveCount: row.archiveCount,
            totalBytes: row.totalBytes)
    }
}
