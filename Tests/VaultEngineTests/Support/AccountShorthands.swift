// SPDX-License-Identifier: Apache-2.0

import VaultModel

@testable import VaultEngine

/// Short forms for tests that are not about users and sessions.
extension VaultEngine {
    /// The credential of a permanent access key.
    func credential(for accessKeyID: String) async throws(VaultError) -> Credential? {
        try await credential(for: accessKeyID, sessionToken: nil)
    }

    /// A further key of the account's root.
    func createAccessKey(_ account: AccountID) async throws(VaultError) -> NewAccessKey {
        try await createAccessKey(account, user: nil)
    }
}
