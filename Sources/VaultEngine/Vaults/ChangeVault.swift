// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

extension VaultEngine {
    /// Changes a vault's record facts: durable record first, then the catalog. `change` may be applied again to a newer row.
    @discardableResult
    func updateVault(_ vault: VaultRow, _ change: (inout VaultRow) throws -> Void) async throws -> VaultRow {
        try await changeVault(vault) { row, _ in try change(&row) }
    }

    /// Changes a vault's record facts and settings together, while nobody else in this process changes it or deletes from it. Nothing is
    /// written when nothing changes. `change` may be applied again to a newer row.
    /// - Parameter floor: the new record's generation is higher than this, too.
    @discardableResult
    func changeVault(
        _ vault: VaultRow, above floor: UInt64 = 0, _ change: (inout VaultRow, inout VaultSettings) throws -> Void
    ) async throws -> VaultRow {
        try await gate.exclusive(vault.location) {
            guard let stored = try await catalog.vault(vault.uid), stored.state == vault.state else {
                throw Messages.vaultNotFound(vault.location)
            }
            return try await commitChange(of: stored, above: floor, change)
        }
    }

    private func commitChange(
        of vault: VaultRow, above floor: UInt64, _ change: (inout VaultRow, inout VaultSettings) throws -> Void
    ) async throws -> VaultRow {
        var stored = vault
        // Records of rounds that others won. Only once a higher generation is committed may they go: then their names are never used again.
        var lost: [WrittenRecord] = []
        for _ in 0..<8 {
            let before = try settings(of: stored).settings
            var (next, settings) = (stored, before)
            try change(&next, &settings)
            try Self.checkLock(before.lock, staysIn: settings, of: vault)
            next.settings = try sealed(settings, before, of: next)
            guard next != stored || floor > stored.generation else { return stored }
            let record = try await writeVaultRecord(
                next, settings, from: max(stored.generation, lost.last?.generation ?? 0, floor) + 1)
            next.generation = record.generation
            do {
                try await catalog.updateVault(next, expectedGeneration: stored.generation)
                try await doom(lost.map(\.blob), of: .cold)
                try await doomReplaced(vaultRecordOf: stored)
                return next
            } catch let error as StorageError where error.code == .conflict {
                guard let newer = try await catalog.vault(vault.uid), newer.state == stored.state else {
                    // Deleted meanwhile. The record just written says otherwise and must not be the last word.
                    var gone = stored
                    gone.state = .deleted
                    _ = try await writeVaultRecord(gone, before, from: record.generation + 1)
                    throw Messages.vaultNotFound(vault.location)
                }
                stored = newer
                lost.append(record)
            }
        }
        throw VaultError(.unavailable, "The vault is being changed by others. Please try again.")
    }

    /// The settings under the vault's newest key; the column as it was when it need not change.
    private func sealed(
        _ settings: VaultSettings, _ before: VaultSettings, of row: VaultRow
    ) throws(VaultError) -> SealedColumnValue? {
        guard settings != .none else { return nil }
        if let column = row.settings, settings == before, column.keyVersion == row.keys.last?.version { return column }
        return try keyring.seal(SettingsColumn(settings), uid: row.uid.bytes, of: row, random: random)
    }

    /// The last guard, behind the life cycle: whatever the change was, a completed lock is in it unchanged.
    private static func checkLock(
        _ lock: VaultLock?, staysIn settings: VaultSettings, of vault: VaultRow
    ) throws(VaultError) {
        guard let lock, lock.state == .locked, settings.lock != lock else { return }
        throw VaultError(.internalFailure, "The service tried to change the lock of vault \(vault.uid); nothing was changed.")
    }
}
