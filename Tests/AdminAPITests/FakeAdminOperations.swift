// SPDX-License-Identifier: Apache-2.0

import Synchronization
import VaultModel

@testable import AdminAPI
@testable import VaultEngine

/// The engine's double: notes what it is asked.
final class FakeAdminOperations: AdminOperations {
    static let moment = Timestamp(milliseconds: 1_363_799_023_221)
    let calls = Mutex<[String]>([])
    let accounts: [AccountID]

    init(accountCount: Int = 2) {
        accounts = (0..<accountCount).compactMap { AccountID(String(100_000_000_000 + $0)) }
    }

    func note(_ call: String) { calls.withLock { $0.append(call) } }

    func createAccount(_ id: AccountID?) async throws(VaultError) -> NewAccessKey {
        note("createAccount \(id?.digits ?? "-")")
        return NewAccessKey(account: id ?? accounts[0], accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "secret")
    }
    func listAccounts(after: AccountID?, limit: Int) async throws(VaultError) -> [AccountDescription] {
        note("listAccounts \(after?.digits ?? "-") \(limit)")
        let rest = accounts.filter { account in after.map { account > $0 } ?? true }
        return rest.prefix(limit).map {
            AccountDescription(account: $0, isActive: $0 == accounts[0], created: Self.moment)
        }
    }
    func setAccount(_ id: AccountID, active: Bool) async throws(VaultError) {
        note("setAccount \(id) \(active)")
        guard accounts.contains(id) else { throw VaultError(.notFound, "There is no account \(id).") }
    }
    func createAccessKey(_ account: AccountID, user: UserName?) async throws(VaultError) -> NewAccessKey {
        note("createAccessKey \(account) \(user?.text ?? "-")")
        guard user != nil else { throw VaultError(.limitExceeded, "The account has 100 access keys.") }
        return NewAccessKey(account: account, accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "secret")
    }
    func listAccessKeys(_ account: AccountID) async throws(VaultError) -> [AccessKeyDescription] {
        [
            AccessKeyDescription(
                accessKeyID: "AKIAIOSFODNN7EXAMPLE", account: account, isActive: false, created: Self.moment),
            AccessKeyDescription(
                accessKeyID: "AKIAI44QH8DHBEXAMPLE", account: account, user: AdminRequestTests.user, isActive: true,
                created: Self.moment),
        ]
    }
    func setAccessKey(_ id: String, active: Bool) async throws(VaultError) { note("setAccessKey \(id) \(active)") }
    func deleteAccessKey(_ id: String) async throws(VaultError) { note("deleteAccessKey \(id)") }
    func listKeys() async throws(VaultError) -> KeyListing {
        let location = AdminRequestTests.vault
        return KeyListing(
            master: [
                MasterKeyDescription(
                    version: 2, created: Self.moment, isCurrent: true, references: 3, slots: ["file 00", "recovery 01"])
            ],
            vaults: [
                VaultKeyDescription(
                    vault: VaultUID(words: UIDWords(high: 0, low: 1)), location: location, version: 1,
                    created: Self.moment,
                    isCurrent: true, masterVersion: 2, references: 9)
            ])
    }
    func rotateMasterKey() async throws(VaultError) -> RotationReport {
        throw VaultError(.integrity, "A record does not verify.")
    }
    func rotateVaultKey(_ location: VaultLocation) async throws(VaultError) -> RotationReport {
        note("rotateVaultKey \(location.arn)")
        return RotationReport(newVersion: 3, rewrappedVaultKeys: 1, resealedAccounts: 0)
    }
    func createBackup(in directory: String, _ selection: BackupSelection) async throws(VaultError) -> BackupReport {
        note("createBackup \(directory) \(selection.rawValue)")
        return BackupReport(
            created: Self.moment, catalogPath: "\(directory)/catalog", keyringPath: nil, catalogBytes: 5, generation: 7,
            keyFiles: 0, recipients: ["00"])
    }
    func deleteVaultAccessPolicy(_ location: VaultLocation, by caller: Caller?) async throws(VaultError) {
        note("deleteVaultAccessPolicy \(location.name)")
    }
    func addBackupKey(_ publicKey: String) async throws(VaultError) -> BackupKeyDescription {
        note("addBackupKey \(publicKey)")
        return BackupKeyDescription(keyID: "00", publicKey: publicKey, created: Self.moment)
    }
    func backupKeys() async throws(VaultError) -> [BackupKeyDescription] {
        [BackupKeyDescription(keyID: "00", publicKey: "11", created: Self.moment)]
    }
    func removeBackupKey(_ keyID: String) async throws(VaultError) { note("removeBackupKey \(keyID)") }
    func setVaultCompression(_ location: VaultLocation, _ compression: String?) async throws(VaultError) {
        note("setVaultCompression \(location.name) \(compression ?? "-")")
    }
}
