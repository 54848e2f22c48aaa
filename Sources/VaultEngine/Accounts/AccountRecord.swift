// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import Storage
import VaultModel

/// The state record of an account (Docs/Formats/Record-v1.md, section 2).
extension VaultEngine {
    func writeAccountRecord(
        _ account: AccountRow, keys: [(row: AccessKeyRow, secret: String)], from generation: UInt64
    ) async throws -> WrittenRecord {
        let master = keyring.currentMaster
        let body: [String: JSONValue] = [
            "accountId": .string(account.id.digits), "state": .string(account.state.rawValue),
            "created": .integer(account.created.milliseconds),
            "accessKeys": .array(
                keys.map { key in
                    [
                        "id": .string(key.row.id), "secret": .string(key.secret), "state": .string(key.row.state.rawValue),
                        "created": .integer(key.row.created.milliseconds),
                    ]
                }),
        ]
        return try await write(
            .account, body: body, uid: BlobPreamble.uid(ofAccount: account.id.digits), account: account.id, vault: .none, key: master.key,
            keyVersion: master.version, from: generation
        ) { BlobName.account(account: account.id.digits, generation: $0) }
    }

    func doomReplaced(accountRecordOf row: AccountRow) async throws {
        let name = BlobName.account(account: row.id.digits, generation: row.generation).text
        try await doom([try blobID(name)], of: .cold, after: configuration.deletionGrace)
    }
}
