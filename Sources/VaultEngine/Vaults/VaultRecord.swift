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
        let state: JSONValue = vault.state == .active ? "active" : "deleted"
        var body: [String: JSONValue] = [
            "region": .string(vault.location.region.code), "name": .string(vault.location.name.text), "state": state,
            "created": .integer(vault.created.milliseconds), "compression": .optional(vault.compression),
            "keys": .array(
                vault.keys.map { key in
                    [
                        "version": .integer(Int64(key.version)), "created": .integer(key.created.milliseconds),
                        "masterVersion": .integer(Int64(key.masterVersion)), "wrapped": .string(Base64.encode(key.wrapped)),
                    ]
                }),
        ]
        body.merge(settings.members) { _, new in new }
        return try await write(
            .vault, body: body, uid: vault.uid.bytes, account: vault.location.account, vault: vault.uid, key: master.key,
            keyVersion: master.version, from: generation, freesRoom: vault.state != .active
        ) { BlobName.vault(account: vault.location.account.digits, vaultUID: vault.uid.bytes, generation: $0) }
    }

    /// The record that the row's newest one replaced; kept for the deletion grace.
    func doomReplaced(vaultRecordOf row: VaultRow) async throws {
        let name = BlobName.vault(account: row.location.account.digits, vaultUID: row.uid.bytes, generation: row.generation).text
        try await doom([try blobID(name)], of: .cold, after: configuration.deletionGrace)
    }
}
