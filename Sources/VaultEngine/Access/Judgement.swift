// SPDX-License-Identifier: Apache-2.0

import AccessPolicy
import Storage
import VaultModel

/// A decision and all that it rests on, read once, so that whoever acts on it acts on the same state.
struct Judgement: Sendable {
    let decision: AccessDecision
    /// The ARN the decision is about.
    let resource: String
    let resourceAccount: AccountID
    /// The vault that was judged: active, or nil.
    let vault: VaultRow?
    /// Whether the vault has a lock in force, in either state.
    let isLocked: Bool
    /// For archives: the identifier, when this service issued it to the account.
    let identifier: Identifier?
    /// The stored archive of that identifier, when it is the vault's.
    let archive: ArchiveRow?
}

extension VaultEngine {
    /// Decides whether the principal may do `action`. For a vault, whoever owns it and whether it exists or not, exactly one vault is read;
    /// for an archive, also that archive, unless the identifier is a forgery or another vault's.
    func judge(
        _ principal: Principal, _ action: VaultAction, on target: AccessTarget, sessionPolicy: String?, context: RequestContext
    ) async throws -> Judgement {
        var context = context
        var policies = PolicySet(identity: principal.isRoot ? [] : try await identityPolicies(of: principal))
        policies.session = try sessionPolicy.map { try sessionPolicies.document($0) }

        let resource: String
        let account: AccountID
        var vault: VaultRow?
        var isLocked = false
        var identifier: Identifier?
        var archive: ArchiveRow?
        switch target {
        case .account(let id, let region):
            account = id
            resource = PolicyResource.account(region: region, account: id, action: action)
        case .vault(let location), .archive(let location, _):
            account = location.account
            resource = location.arn
            vault = try await catalog.vault(at: location)
            if vault?.state != .active { vault = nil }
            if case .archive(_, let text) = target {
                identifier = keyring.identifiers.parse(text, kind: .archive, account: location.account)
                if let identifier, identifier.vault == vault?.uid {
                    archive = try await catalog.archive(ArchiveUID(words: identifier.uid))
                    // A deleted one is as unknown as one that never was: there is nothing left to protect.
                    if archive?.state != .stored { archive = nil }
                }
            }
            // A vault that is to be created is not one that has policies: the name alone decides.
            if let vault, action != .createVault {
                let opened = try settings(of: vault)
                isLocked = opened.settings.lock.map { !$0.isExpired(at: context.now) } ?? false
                policies.vaultAccess = opened.accessPolicy
                policies.vaultLock = isLocked ? opened.lockPolicy : nil
                context.resourceTags = opened.settings.tags
            }
            context.archiveAgeInDays = archive.map { Self.wholeDays(from: $0.created, to: context.now) }
        }
        let request = PolicyRequest(
            principal: principal, action: action, resource: resource, resourceAccount: account, context: context)
        return Judgement(
            decision: AccessEvaluation.decide(request, policies), resource: resource, resourceAccount: account, vault: vault,
            isLocked: isLocked, identifier: identifier, archive: archive)
    }

    /// An archive is one day old when 24 hours have passed.
    static func wholeDays(from created: Timestamp, to now: Timestamp) -> UInt64 {
        UInt64(max(0, now.since(created).components.seconds / 86_400))
    }
}
