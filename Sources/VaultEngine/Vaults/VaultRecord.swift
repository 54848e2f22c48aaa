// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import Storage
import VaultModel

/// The state record of a vault (Docs/Formats/Record-v1.md, section 2).
extension VaultEngine {
    func writeVaultRecord(
        _ vault: VaultRow, _ settings: VaultSettings, from generation: UInt64
    ) async throws -> WrittenRecord {
        let master = keyring.currentMaster
        return try await write(
            .vault, body: Self.recordBody(vault, settings), uid: vault.uid.bytes, account: vault.location.account,
            vault: vault.uid, key: master.key, keyVersion: master.version, from: generation,
            freesRoom: vault.state != .active, name: Self.recordName(vault))
    }

    /// Nil when a record of that generation exists.
    func writeVaultRecord(
        _ vault: VaultRow, _ settings: VaultSettings, exactly generation: UInt64
    ) async throws -> WrittenRecord? {
        let master = keyring.currentMaster
        return try await write(
            .vault, body: Self.recordBody(vault, settings), uid: vault.uid.bytes, account: vault.location.account,
            vault: vault.uid, key: master.key, keyVersion: master.version, exactly: generation,
            freesRoom: vault.state != .active, name: Self.recordName(vault))
    }

    /// The name of a vault's record, by its generation.
    static func recordName(_ vault: VaultRow) -> @Sendable (UInt64) -> BlobName {
        let (account, uid) = (vault.location.account.digits, vault.uid.bytes)
        return { BlobName.vault(account: account, vaultUID: uid, generation: $0) }
    }

    private static func recordBody(_ vault: VaultRow, _ settings: VaultSettings) -> [String: JSONValue] {
        let state: JSONValue = vault.state == .active ? "active" : "deleted"
        let body: [String: JSONValue] = [
            "region": .string(vault.location.region.code), "name": .string(vault.location.name.text), "state": state,
            "created": .integer(vault.created.milliseconds), "compression": .optional(vault.compression),
            "keys": .array(
                vault.keys.map { key in
                    [
                        "version": .integer(Int64(key.version)), "created": .integer(key.created.milliseconds),
                        "masterVersion": .integer(Int64(key.masterVersion)),
                        "wrapped": .string(Base64.encode(key.wrapped)),
                    ]
                }),
        ]
        return body.merging(settings.members) { _, new in new }
    }

    /// The record that the row's newest one replaced; kept for the deletion grace.
    func doomReplaced(vaultRecordOf row: VaultRow) async throws {
        let name = BlobName.vault(
            account: row.location.account.digits, vaultUID: row.uid.bytes, generation: row.generation
        ).text
        try await doom([try blobID(name)], of: .cold, after: configuration.deletionGrace)
    }
}
