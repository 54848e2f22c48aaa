// SPDX-License-Identifier: Apache-2.0

import Logging
import SealedArchive
import Storage
import VaultModel

extension VaultEngine {
    /// Changes a vault's record facts: durable record first, then the catalog. `change` may be applied again to a newer row.
    @discardableResult
    func updateVault(
        _ vault: VaultRow, as act: AuditAct? = nil, _ change: (inout VaultRow) throws -> Void
    ) async throws -> VaultRow {
        try await changeVault(vault, as: act) { row, _ in try change(&row) }
    }

    /// Changes a vault's record facts and settings together, while nobody else in this process changes it or deletes from it. Nothing is
    /// written when nothing changes. `change` may be applied again to a newer row.
    /// - Parameter act: what the audit log says; nil for the service's own doing.
    @discardableResult
    func changeVault(
        _ vault: VaultRow, as act: AuditAct? = nil, _ change: (inout VaultRow, inout VaultSettings) throws -> Void
    ) async throws -> VaultRow {
        try await adoptIfMissed(vault.location)
        return try await changeVault(vault, above: 0, as: act, change)
    }

    /// - Parameter floor: the new record's generation is higher than this, too.
    @discardableResult
    func changeVault(
        _ vault: VaultRow, above floor: UInt64, as act: AuditAct? = nil,
        _ change: (inout VaultRow, inout VaultSettings) throws -> Void
    ) async throws -> VaultRow {
        try await gate.exclusive(vault.location) {
            guard let stored = try await catalog.vault(vault.uid), stored.state == vault.state else {
                throw Messages.vaultNotFound(vault.location)
            }
            return try await commitChange(of: stored, above: floor, as: act, change)
        }
    }

    private func commitChange(
        of vault: VaultRow, above floor: UInt64, as act: AuditAct?,
        _ change: (inout VaultRow, inout VaultSettings) throws -> Void
    ) async throws -> VaultRow {
        var (stored, floor) = (vault, floor)
        // Records that stand where the new one should: the change is made on top of what they say, never instead of it.
        var adopted: [RecordedVault] = []
        // Records of rounds that others won. Only once a higher generation is committed may they go: then their names are never used again.
        var lost: [WrittenRecord] = []
        for _ in 0..<8 {
            let before = try settings(of: stored).settings
            var (next, settings) = (stored, before)
            for recorded in adopted { recorded.adopt(into: &next, &settings) }
            let base = (row: next, settings: settings)
            try change(&next, &settings)
            for lock in [before.lock, base.settings.lock] { try Self.checkLock(lock, staysIn: settings, of: vault) }
            next.settings = try sealed(settings, before, of: next)
            guard next != stored || floor > stored.generation else { return stored }
            let wanted = max(stored.generation, lost.last?.generation ?? 0, floor) + 1
            guard let record = try await writeVaultRecord(next, settings, exactly: wanted) else {
                let names = try await recordNames(above: wanted - 1, Self.recordName(stored))
                if let newer = try await newestRecord(among: names, of: stored) { adopted.append(newer) }
                floor = names.last?.generation ?? wanted
                continue
            }
            next.generation = record.generation
            let audit = try audit(act ?? .vault(vault.location, "vault:Change", by: .service))
            do {
                try await catalog.updateVault(next, expectedGeneration: stored.generation, audit: audit)
            } catch where error.code == .conflict || error.code == .notFound {
                guard let newer = try await catalog.vault(vault.uid), newer.state == stored.state else {
                    // Deleted meanwhile. The record just written says otherwise and must not be the last word.
                    var gone = stored
                    gone.state = .deleted
                    _ = try await writeVaultRecord(gone, base.settings, from: record.generation + 1)
                    throw Messages.vaultNotFound(vault.location)
                }
                stored = newer
                adopted.removeAll { $0.generation <= newer.generation }
                lost.append(record)
                continue
            } catch {
                if error.code != .outcomeUnknown, error.code != .unusable {
                    // Refused: its record must not be taken up at a later start.
                    await supersede(record, with: base.row, base.settings)
                }
                throw error
            }
            try await doom(lost.map(\.blob), of: .cold)
            let names = try adopted.map { try blobID(Self.recordName(stored)($0.generation).text) }
            try await doom(names, of: .cold, after: configuration.deletionGrace)
            try await doomReplaced(vaultRecordOf: stored)
            return next
        }
        throw VaultError(.unavailable, "The vault is being changed by others. Please try again.")
    }

    /// Writes what the vault is above the record of a change that was refused. Best effort, the answer is an error anyway: without it a restart
    /// may take up the refused change.
    private func supersede(_ refused: WrittenRecord, with row: VaultRow, _ settings: VaultSettings) async {
        do {
            _ = try await writeVaultRecord(row, settings, from: refused.generation + 1)
        } catch {
            logger.error(
                "the record of a refused change of a vault stays behind; the next change of the vault or the next start takes it up",
                metadata: ["vault": "\(row.location.arn)", "record": "\(refused.blob)", "error": "\(error)"])
        }
    }

    /// The settings under the vault's newest key; the column as it was when it need not change.
    private func sealed(
        _ settings: VaultSettings, _ before: VaultSettings, of row: VaultRow
    ) throws(VaultError) -> SealedColumnValue? {
        guard settings != .none else { return nil }
        if let column = row.settings, settings.isIdentical(to: before), column.keyVersion == row.keys.last?.version {
            return column
        }
        return try keyring.seal(SettingsColumn(settings), uid: row.uid.bytes, of: row, random: random)
    }

    /// The last guard, behind the life cycle: whatever the change was, a completed lock is in it unchanged.
    private static func checkLock(
        _ lock: VaultLock?, staysIn settings: VaultSettings, of vault: VaultRow
    ) throws(VaultError) {
        guard let lock, lock.state == .locked,
            !VaultSettings(lock: lock).isIdentical(to: VaultSettings(lock: settings.lock))
        else { return }
        throw VaultError(
            .internalFailure, "The service tried to change the lock of vault \(vault.uid); nothing was changed.")
    }
}
