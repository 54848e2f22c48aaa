// SPDX-License-Identifier: Apache-2.0

import VaultEngine
import VaultModel

/// What the operator's socket needs of the engine; laws and durability are those of ``VaultEngine``. The second
/// conformance is the tests' double.
protocol AdminOperations: Sendable {
    func createAccount(_ id: AccountID?) async throws(VaultError) -> NewAccessKey
    func listAccounts(after: AccountID?, limit: Int) async throws(VaultError) -> [AccountDescription]
    func setAccount(_ id: AccountID, active: Bool) async throws(VaultError)
    func createAccessKey(_ account: AccountID) async throws(VaultError) -> NewAccessKey
    func listAccessKeys(_ account: AccountID) async throws(VaultError) -> [AccessKeyDescription]
    func setAccessKey(_ id: String, active: Bool) async throws(VaultError)
    func deleteAccessKey(_ id: String) async throws(VaultError)
    func listKeys() async throws(VaultError) -> KeyListing
    func rotateMasterKey() async throws(VaultError) -> RotationReport
    func rotateVaultKey(_ location: VaultLocation) async throws(VaultError) -> RotationReport
    func createBackup(in directory: String) async throws(VaultError) -> BackupReport
    func setVaultCompression(_ location: VaultLocation, _ compression: String?) async throws(VaultError)
}

extension VaultEngine: AdminOperations {}
