// SPDX-License-Identifier: Apache-2.0

import AccessPolicy
import Cryptography
import Storage
public import VaultModel

extension VaultEngine {
    /// 18 random bytes are the 24 characters that lock ids have.
    private static let lockIDBytes = 18

    /// Puts a lock policy in force for a trial of 24 hours. Durable on return.
    /// - Returns: the lock id, which completes the lock.
    public func initiateVaultLock(_ location: VaultLocation, policy: String) async throws(VaultError) -> String {
        try check(
            policy, as: .vaultLock(vaultARN: location.arn),
            "The specified vault lock policy is invalid. Provide a valid policy.")
        let created = try await vaultErrors("reading the clock") { try await clockKeeper.stamp() }
        let lock = VaultLock(
            id: Base64URL.encode(random.bytes(Self.lockIDBytes)), policy: policy, state: .inProgress, created: created)
        try await changeLock(location, "initiating a vault lock", .initiate(lock))
        return lock.id
    }

    /// Makes the lock in progress permanent. Succeeds again for the same id for ever. Durable on return.
    public func completeVaultLock(_ location: VaultLocation, lockID: String) async throws(VaultError) {
        try await changeLock(location, "completing a vault lock", .complete(id: lockID))
    }

    /// Gives up the lock in progress; succeeds when there is none. Durable on return.
    public func abortVaultLock(_ location: VaultLocation) async throws(VaultError) {
        try await changeLock(location, "aborting a vault lock", .abort)
    }

    public func vaultLock(_ location: VaultLocation) async throws(VaultError) -> VaultLock {
        let settings = try settings(of: try await activeVault(location)).settings
        let now = try await vaultErrors("reading the clock") { try await clockKeeper.reading().now }
        guard let lock = LockLifeCycle(stored: settings.lock, at: now).lock else { throw Messages.noLock(location) }
        return lock
    }

    private func changeLock(_ location: VaultLocation, _ doing: String, _ event: LockLifeCycle.Event)
        async throws(VaultError)
    {
        try await changeSettings(location, doing) { settings, now in
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
