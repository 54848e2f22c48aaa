// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import AccessPolicy
import Cryptography
import Storage
public import VaultModel

extension VaultEngine {
    // MARK: Reading

    /// The settings of a vault with its policies parsed; opens the sealed column once per generation.
    func settings(of vault: VaultRow) throws(VaultError) -> OpenedSettings {
        guard let column = vault.settings else { return .none }
        if let known = settingsCache.settings(of: vault.uid, generation: vault.generation) { return known }
        let settings = try keyring.open(column, as: SettingsColumn.self, uid: vault.uid.bytes, of: vault).settings
        let arn = vault.location.arn
        let opened = OpenedSettings(
            settings: settings,
            accessPolicy: try settings.accessPolicy.map { text throws(VaultError) in
                try stored(text, as: .vaultAccess(vaultARN: arn), "access policy of \(arn)")
            },
            lockPolicy: try settings.lock.map { lock throws(VaultError) in
                try stored(lock.policy, as: .vaultLock(vaultARN: arn), "lock policy of \(arn)")
            })
        settingsCache.keep(opened, of: vault.uid, generation: vault.generation)
        return opened
    }

    /// A document that was accepted once. When it cannot be read any more, nothing may be decided without it.
    func stored(_ text: String, as kind: PolicyDocument.Kind, _ what: String) throws(VaultError) -> PolicyDocument {
        do throws(PolicyError) {
            return try PolicyDocument.stored(text, as: kind)
        } catch {
            throw VaultError(
                .integrity, "A stored policy cannot be read: \(what). The operator must act.", cause: error)
        }
    }

    // MARK: Changing

    /// Changes the settings of an active vault: durable record first, then the catalog. Nothing is written when nothing changes.
    func changeSettings(
        _ location: VaultLocation, _ doing: String, as act: AuditAct,
        _ change: (inout VaultSettings, Timestamp) throws -> Void
    ) async throws(VaultError) {
        try await vaultErrors(doing) {
            let now = try await clockKeeper.reading().now
            try await changeVault(try await activeVault(location), as: act) { _, settings in
                // A lock whose 24 hours are over goes with the next change.
                settings.lock = LockLifeCycle(stored: settings.lock, at: now).lock
                try change(&settings, now)
            }
        }
    }

    // MARK: Tags

    /// Adds tags or replaces their values; adds nothing when the vault would then have more than it may. Durable on return.
    public func addTags(_ location: VaultLocation, _ tags: [String: String], by caller: Caller? = nil) async throws(VaultError) {
        try await changeSettings(
            location, "adding tags",
            as: .vault(location, .vault, "glacier:AddTagsToVault", by: AuditActor(caller), ["count": .integer(Int64(tags.count))])
        ) { settings, _ in
            for key in tags.keys { try Self.checkSpelling(of: key, in: settings.tags) }
            settings.tags.merge(tags) { _, new in new }
            guard settings.tags.count <= Limits.maxTagsPerVault else {
                throw VaultError(
                    .limitExceeded,
                    "The quota for the number of tags that can be assigned to this resource has been reached.")
            }
        }
    }

    /// Removes tags; keys that are not there are fine. Durable on return.
    public func removeTags(_ location: VaultLocation, _ keys: [String], by caller: Caller? = nil) async throws(VaultError) {
        try await changeSettings(
            location, "removing tags",
            as: .vault(location, .vault, "glacier:RemoveTagsFromVault", by: AuditActor(caller), ["count": .integer(Int64(keys.count))])
        ) { settings, _ in
            for key in keys where Self.spelling(of: key, in: settings.tags) == Array(key.utf8) {
                settings.tags[key] = nil
            }
        }
    }

    /// A map of tags cannot hold two keys that Swift takes for the same text; elsewhere keys are their bytes. So a second spelling of a key is
    /// refused rather than taken for the first.
    private static func checkSpelling(of key: String, in tags: [String: String]) throws(VaultError) {
        guard let known = spelling(of: key, in: tags), known != Array(key.utf8) else { return }
        throw VaultError(
            .invalidParameter,
            "Invalid tag key: the vault has a tag whose key looks the same, with its letters and accents composed differently. "
                + "Remove that tag first, or use its key as ListTagsForVault shows it.")
    }

    /// The bytes of the key as the map has it; nil where it has none that looks the same.
    private static func spelling(of key: String, in tags: [String: String]) -> [UInt8]? {
        tags.index(forKey: key).map { Array(tags[$0].key.utf8) }
    }

    public func tags(_ location: VaultLocation) async throws(VaultError) -> [String: String] {
        try settings(of: try await activeVault(location)).settings.tags
    }

    // MARK: Notifications

    /// Chooses which events of the vault go to which topic, in place of what was chosen before. Durable on return.
    public func setVaultNotifications(_ location: VaultLocation, _ notifications: VaultNotifications, by caller: Caller? = nil)
        async throws(VaultError)
    {
        try await changeSettings(
            location, "setting notifications",
            as: .vault(location, .vault, "glacier:SetVaultNotifications", by: AuditActor(caller))
        ) { settings, _ in
            settings.notifications = notifications
        }
    }

    public func vaultNotifications(_ location: VaultLocation) async throws(VaultError) -> VaultNotifications {
        guard let notifications = try settings(of: try await activeVault(location)).settings.notifications else {
            throw VaultError(.notFound, "No notification configuration is set for vault: \(location.name)")
        }
        return notifications
    }

    /// Succeeds when there is none. Durable on return.
    public func deleteVaultNotifications(_ location: VaultLocation, by caller: Caller? = nil) async throws(VaultError) {
        try await changeSettings(
            location, "deleting notifications",
            as: .vault(location, .vault, "glacier:DeleteVaultNotifications", by: AuditActor(caller))
        ) { settings, _ in settings.notifications = nil }
    }

    // MARK: Access policy

    /// Sets the access policy, verbatim, in place of an earlier one. Durable on return.
    public func setVaultAccessPolicy(_ location: VaultLocation, _ policy: String, by caller: Caller? = nil) async throws(VaultError) {
        try check(
            policy, as: .vaultAccess(vaultARN: location.arn),
            "The specified vault access policy is invalid. Provide a valid policy.")
        try await changeSettings(
            location, "setting an access policy",
            as: .vault(location, .policy, "glacier:SetVaultAccessPolicy", by: AuditActor(caller), ["sha256": .string(SHA256Hasher.hash(Array(policy.utf8)).hex)])
        ) { settings, _ in settings.accessPolicy = policy }
    }

    public func vaultAccessPolicy(_ location: VaultLocation) async throws(VaultError) -> String {
        guard let policy = try settings(of: try await activeVault(location)).settings.accessPolicy else {
            throw VaultError(.notFound, "No vault access policy is set for: \(location.name)")
        }
        return policy
    }

    /// Succeeds when there is none. Durable on return.
    public func deleteVaultAccessPolicy(_ location: VaultLocation, by caller: Caller? = nil) async throws(VaultError) {
        try await changeSettings(
            location, "deleting an access policy",
            as: .vault(location, .policy, "glacier:DeleteVaultAccessPolicy", by: AuditActor(caller))
        ) { settings, _ in settings.accessPolicy = nil }
    }

    /// Refuses what does not parse, naming the place after the documented sentence.
    func check(_ policy: String, as kind: PolicyDocument.Kind, _ sentence: String) throws(VaultError) {
        do throws(PolicyError) {
            _ = try PolicyDocument(parsing: policy, as: kind, maxBytes: Limits.maxVaultPolicyBytes)
        } catch {
            throw VaultError(.invalidParameter, "\(sentence) (\(error))")
        }
    }
}
