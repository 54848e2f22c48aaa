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
    /// Decides whether the principal may do `action`. For a vault, whether it exists or not, exactly one vault is read, for
    /// an archive identifier, whosever it is, one archive, and for another account's resource its account: what is read tells nobody what
    /// there is. A disabled account's vaults are closed to others. While the clock is in doubt the decision must hold by both times.
    func judge(
        _ principal: Principal, _ action: VaultAction, on target: AccessTarget, sessionPolicy: String?,
        context: RequestContext, at time: ClockReading
    ) async throws -> Judgement {
        var policies = PolicySet(identity: principal.isRoot ? [] : try await identityPolicies(of: principal))
        policies.session = try sessionPolicy.map { try sessionPolicies.document($0) }

        let resource: String
        let account = target.owner
        let ownerIsActive: Bool
        if account == principal.account {
            ownerIsActive = true
        } else {
            ownerIsActive = try await catalog.account(account)?.state == .active
        }
        var vault: VaultRow?
        var opened: OpenedSettings?
        var identifier: Identifier?
        var archive: ArchiveRow?
        switch target {
        case .account(_, let region):
            resource = PolicyResource.account(region: region, account: account, action: action)
        case .vault(let location), .archive(let location, _):
            resource = location.arn
            vault = try await catalog.vault(at: location)
            if vault?.state != .active { vault = nil }
            if case .archive(_, let text) = target {
                identifier = keyring.identifiers.parse(text, kind: .archive, account: location.account)
                let isTheVaults = identifier != nil && identifier?.vault == vault?.uid
                let uid = isTheVaults ? identifier?.uid : nil
                archive = try await catalog.archive(ArchiveUID(words: uid ?? Self.noArchive))
                // A deleted one is as unknown as one that never was: there is nothing left to protect.
                if !isTheVaults || archive?.state != .stored { archive = nil }
            }
            // A vault that is to be created is not one that has policies: the name alone decides.
            if let vault, action != .createVault { opened = try settings(of: vault) }
        }
        // Judged in any case: a refusal takes the time that it takes elsewhere. All that is read has been read.
        let decisions = time.judged.map { now in
            var (context, policies) = (context, policies)
            context.now = now
            if let opened {
                policies.vaultAccess = opened.accessPolicy
                policies.vaultLock = opened.isLocked(at: now) ? opened.lockPolicy : nil
                context.resourceTags = opened.settings.tags
            }
            context.archiveAgeInDays = archive.map { Self.wholeDays(from: $0.created, to: now) }
            let request = PolicyRequest(
                principal: principal, action: action, resource: resource, resourceAccount: account, context: context)
            return AccessEvaluation.decide(request, policies)
        }
        let decision = decisions.first { !$0.isAllowed } ?? decisions[0]
        return Judgement(
            decision: decision.isAllowed && !ownerIsActive ? AccessDecision(.noStatementAllows(.activeOwner)) : decision,
            resource: resource, resourceAccount: account, vault: vault, isLocked: opened?.isLocked(at: time.now) ?? false,
            identifier: identifier,
            archive: archive)
    }

    /// What is looked up in place of an archive that is not the vault's.
    private static let noArchive = UIDWords(high: 0, low: 0)

    /// An archive is one day old when 24 hours have passed.
    static func wholeDays(from created: Timestamp, to now: Timestamp) -> UInt64 {
        UInt64(max(0, now.since(created).components.seconds / 86_400))
    }
}

extension AccessTarget {
    /// The account whose resource it is.
    fileprivate var owner: AccountID {
        switch self {
        case .account(let id, _): id
        case .vault(let location), .archive(let location, _): location.account
        }
    }
}

extension OpenedSettings {
    /// Whether a lock is in force, in either state.
    fileprivate func isLocked(at now: Timestamp) -> Bool { settings.lock.map { !$0.isExpired(at: now) } ?? false }
}
