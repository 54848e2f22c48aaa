// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import AccessPolicy
import Cryptography
import Storage
public import VaultModel

extension VaultEngine {
    /// 142 bits of chance. Letters and digits only: an id that began with a hyphen would look like an option to command lines.
    private static let lockIDCharacters = 24

    /// Puts a lock policy in force for a trial of 24 hours. Durable on return.
    /// - Returns: the lock id, which completes the lock.
    public func initiateVaultLock(
        _ location: VaultLocation, policy: String, by caller: Caller? = nil
    ) async throws(VaultError) -> String {
        try check(
            policy, as: .vaultLock(vaultARN: location.arn),
            "The specified vault lock policy is invalid. Provide a valid policy.")
        let created = try await vaultErrors("reading the clock") { try await clockKeeper.stamp() }
        let lock = VaultLock(
            id: AccessKeyText.make(
                characters: Self.lockIDCharacters, out: AccessKeyText.secretAlphabet, random: random),
            policy: policy, state: .inProgress, created: created)
        try await changeLock(
            location, "initiating a vault lock", .initiate(lock),
            as: .vault(
                location, .lock, "glacier:InitiateVaultLock", by: AuditActor(caller),
                ["sha256": .string(SHA256Hasher.hash(Array(policy.utf8)).hex)]))
        return lock.id
    }

    /// Makes the lock in progress permanent. Succeeds again for the same id for ever. Durable on return.
    public func completeVaultLock(
        _ location: VaultLocation, lockID: String, by caller: Caller? = nil
    ) async throws(VaultError) {
        // What cannot be undone does not rest on a clock that may run behind: the later time says whether the id has expired.
        let latest = try await vaultErrors("reading the clock") { try await clockKeeper.stamp() }
        try await changeLock(
            location, "completing a vault lock", .complete(id: lockID), latest: latest,
            as: .vault(location, .lock, "glacier:CompleteVaultLock", by: AuditActor(caller)))
    }

    /// Gives up the lock in progress; succeeds when there is none. Durable on return.
    public func abortVaultLock(_ location: VaultLocation, by caller: Caller? = nil) async throws(VaultError) {
        try await changeLock(
            location, "aborting a vault lock", .abort,
            as: .vault(location, .lock, "glacier:AbortVaultLock", by: AuditActor(caller)))
    }

    public func vaultLock(_ location: VaultLocation) async throws(VaultError) -> VaultLock {
        let settings = try settings(of: try await activeVault(location)).settings
        let now = try await vaultErrors("reading the clock") { try await clockKeeper.reading().now }
        guard let lock = LockLifeCycle(stored: settings.lock, at: now).lock else { throw Messages.noLock(location) }
        return lock
    }

    private func changeLock(
        _ location: VaultLocation, _ doing: String, _ event: LockLifeCycle.Event, latest: Timestamp? = nil,
        as act: AuditAct
    ) async throws(VaultError) {
        try await changeSettings(location, doing, as: act) { settings, now in
            if let latest, settings.lock?.isExpired(at: latest) == true { throw Messages.noLock(location) }
            var life = LockLifeCycle(stored: settings.lock, at: now)
            switch life.event(event) {
            case .done: settings.lock = life.lock
            case .refuse(.noLock): throw Messages.noLock(location)
            case .refuse(.lockExists):
                throw VaultError(
                    .accessDenied,
                    "The vault \(location.arn) has a vault lock already. A lock in progress can be aborted, a completed one not."
                )
            case .refuse(.wrongID):
                throw VaultError(
                    .invalidParameter, "The lock ID is not that of the vault lock in progress on \(location.arn).")
            case .refuse(.locked):
                throw VaultError(
                    .accessDenied, "The vault \(location.arn) is locked: its lock policy cannot be changed or removed.")
            }
        }
    }
}
