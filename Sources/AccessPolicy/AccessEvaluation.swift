// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// Decides requests: Docs/API/Policies.md, "Evaluation".
///
/// 1. A statement that denies, in any policy that has a say, decides.
/// 2. Inside one account the root may do everything, and a user what one identity policy or one policy of the vault allows.
/// 3. Across accounts the vault must allow it, and the principal's own account must, too.
/// 4. With a session policy, nothing is allowed that it does not allow as well.
///
/// The work is bounded (``MatchWork``): a statement that takes too much counts as a match if it denies, as none if it allows.
public enum AccessEvaluation {
    /// Whether `request` is allowed by all that `policies` say. Pure; the same input gives the same decision.
    public static func decide(_ request: PolicyRequest, _ policies: PolicySet) -> AccessDecision {
        decide(request, policies, MatchWork())
    }

    static func decide(_ request: PolicyRequest, _ policies: PolicySet, _ work: MatchWork) -> AccessDecision {
        var vault: [Sourced] = []
        if request.action.concernsOneVault {
            if let lock = policies.vaultLock { vault.append(Sourced(.lockPolicy, lock)) }
            if let access = policies.vaultAccess { vault.append(Sourced(.accessPolicy, access)) }
        }
        let identity = policies.identity.map { Sourced(.identityPolicy($0.name), $0.document) }
        let session = policies.session.map { Sourced(.sessionPolicy, $0) }

        for sourced in vault + identity + (session.map { [$0] } ?? []) {
            if let denial = sourced.first(.deny, request, work) { return AccessDecision(.explicitDeny, denial.statement) }
        }
        let own = request.principal.isRoot ? nil : firstAllowing(identity, request, work) { _ in true }
        let isInside = request.principal.account == request.resourceAccount
        let granted = firstAllowing(vault, request, work) { !isInside || $0 == .principal }
        let decision = isInside ? inside(request, own, granted) : across(request, own, granted)
        guard decision.isAllowed, let session else { return decision }
        guard let allowance = session.first(.allow, request, work) else { return AccessDecision(.noStatementAllows(.session)) }
        return decision.deciding == nil ? AccessDecision(.allowed, allowance.statement) : decision
    }

    /// Asks each policy once at most: what it costs counts.
    private static func firstAllowing(
        _ policies: [Sourced], _ request: PolicyRequest, _ work: MatchWork, where suffices: (PolicyStatement.Reach) -> Bool
    ) -> AccessDecision.DecidingStatement? {
        for sourced in policies {
            if let allowance = sourced.first(.allow, request, work), suffices(allowance.reach) {
                return allowance.statement
            }
        }
        return nil
    }

    private static func inside(
        _ request: PolicyRequest, _ own: AccessDecision.DecidingStatement?, _ granted: AccessDecision.DecidingStatement?
    ) -> AccessDecision {
        if request.principal.isRoot { return AccessDecision(.rootOfTheAccount) }
        if let deciding = own ?? granted { return AccessDecision(.allowed, deciding) }
        return AccessDecision(.noStatementAllows(request.action.concernsOneVault ? .identityOrVault : .identity))
    }

    private static func across(
        _ request: PolicyRequest, _ own: AccessDecision.DecidingStatement?, _ granted: AccessDecision.DecidingStatement?
    ) -> AccessDecision {
        guard request.action.concernsOneVault else { return AccessDecision(.noStatementAllows(.ownAccount)) }
        guard let granted else { return AccessDecision(.noStatementAllows(.vault)) }
        guard request.principal.isRoot || own != nil else { return AccessDecision(.noStatementAllows(.identity)) }
        return AccessDecision(.allowed, granted)
    }

    /// A policy and what to call it.
    private struct Sourced {
        let source: AccessDecision.Source
        let document: PolicyDocument

        init(_ source: AccessDecision.Source, _ document: PolicyDocument) {
            self.source = source
            self.document = document
        }

        /// The first statement of this effect that applies; one that reaches the principal rather than only its account, if there is one.
        func first(
            _ effect: PolicyStatement.Effect, _ request: PolicyRequest, _ work: MatchWork
        ) -> (statement: AccessDecision.DecidingStatement, reach: PolicyStatement.Reach)? {
            var delegated: AccessDecision.DecidingStatement?
            for statement in document.statements where statement.effect == effect {
                let named = AccessDecision.DecidingStatement(source: source, statement: statement.name)
                switch statement.reach(request, work) {
                case .none: continue
                case .principal: return (named, .principal)
                case .account: delegated = delegated ?? named
                }
            }
            return delegated.map { ($0, .account) }
        }
    }
}
