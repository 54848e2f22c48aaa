// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import AccessPolicy
import Cryptography
import Storage
public import VaultModel

/// Who signs a request, and temporary credentials. Sessions are not stored: their token carries everything, sealed
/// under the master key, and ends with its time, its principal or the master key version.
extension VaultEngine {
    public static let minSessionDuration: Duration = .seconds(15 * 60)
    public static let defaultSessionDuration: Duration = .seconds(3600)
    public static let maxSessionDuration: Duration = .seconds(36 * 3600)
    public static let maxSessionPolicyBytes = 2048

    /// The credential behind an access key id, and a session token where the request carries one; nil when there is
    /// none. One catalog read. Throws `.expiredToken` for a genuine token past its time.
    public func credential(for accessKeyID: String, sessionToken: String?) async throws(VaultError) -> Credential? {
        guard accessKeyID.utf8.count == Limits.accessKeyCharacters else { return nil }
        return try await vaultErrors("looking up an access key") {
            if let sessionToken { return try await credential(for: accessKeyID, token: sessionToken) }
            guard let (key, account, user) = try await catalog.accessKey(accessKeyID) else { return nil }
            let isActive =
                key.state == .active && account.state == .active && (key.user == nil || user?.state == .active)
            return Credential(
                accessKeyID: key.id, principal: Principal(account: account.id, user: key.user), isActive: isActive,
                secret: SecretBytes(bytes: try openSecret(of: key)))
        }
    }

    private func credential(for accessKeyID: String, token text: String) async throws -> Credential? {
        let masters = keyring.masterKeys
        let token = SessionToken.opened(text) { version in masters.first { $0.version == version }?.key }
        guard let token, token.accessKeyID == accessKeyID else { return nil }
        // Whichever clock is later: neither one that was set back nor an hour off brings an old session back.
        guard try await clockKeeper.stamp() < token.expires else {
            throw VaultError(.expiredToken, "The security token included in the request is expired")
        }
        guard let (account, user) = try await catalog.principal(token.principal) else { return nil }
        let isUser = token.principal.user != nil
        if isUser, user == nil { return nil }
        guard token.principalCreated == user?.created ?? account.created else { return nil }
        return Credential(
            accessKeyID: accessKeyID, principal: token.principal,
            isActive: account.state == .active && (!isUser || user?.state == .active),
            secret: SecretBytes(bytes: Array(token.secret.utf8)), sessionPolicy: token.policy)
    }

    /// Temporary credentials of a principal (of an account's root when it names no user).
    /// - Parameters:
    ///   - duration: ``minSessionDuration`` to ``maxSessionDuration``.
    ///   - policy: what the session may do at most, of ``maxSessionPolicyBytes``; nil for whatever the principal
    ///     may do.
    public func createSession(
        _ principal: Principal, duration: Duration = defaultSessionDuration, policy: String?
    ) async throws(VaultError) -> NewSession {
        guard (Self.minSessionDuration...Self.maxSessionDuration).contains(duration) else {
            throw VaultError(
                .invalidParameter, "A session lasts 15 minutes to 36 hours. Choose a duration between them.")
        }
        if let policy {
            try Self.check(policy, as: .session, maxBytes: Self.maxSessionPolicyBytes, called: "session policy")
        }
        return try await vaultErrors("creating a session") {
            guard let (account, user) = try await catalog.principal(principal) else {
                throw Self.noAccount(principal.account)
            }
            if let name = principal.user, user == nil {
                throw VaultError(
                    .notFound, "There is no user \(name) in account \(account.id). List its users and check the name.")
            }
            guard account.state == .active, user == nil || user?.state == .active else {
                throw VaultError(
                    .invalidParameter, "\(principal) is disabled. Enable it before you create a session for it.")
            }
            let now = try await clockKeeper.stamp()
            let master = keyring.currentMaster
            let token = SessionToken(
                principal: principal, principalCreated: user?.created ?? account.created,
                accessKeyID: AccessKeyText.makeID(prefix: AccessKeyText.temporaryPrefix, random: random),
                secret: AccessKeyText.makeSecret(random: random), expires: now.advanced(by: duration),
                policy: policy)
            let text = try token.sealed(version: master.version, key: master.key, random: random)
            guard text.utf8.count <= SessionToken.maxCharacters else {
                throw VaultError(
                    .invalidParameter,
                    "The session policy makes the token longer than \(SessionToken.maxCharacters) characters. "
                        + "Shorten it."
                )
            }
            try await recordAct(
                AuditAct(
                    .session, "session:Create", by: .operator, account: account.id, on: principal.arn,
                    ["accessKeyId": .string(token.accessKeyID), "expires": .integer(token.expires.milliseconds)]))
            return NewSession(
                principal: principal, accessKeyID: token.accessKeyID, secretAccessKey: token.secret, sessionToken: text,
                expires: token.expires)
        }
    }
}
