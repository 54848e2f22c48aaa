// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// Decides requests: Docs/API/Policies.md, "Evaluation".
///
/// 1. A statement that denies, in any policy that has a say, decides.
/// 2. Inside one account the root may do everything, and a user what one identity policy or one policy of the vault allows.
/// 3. Across accounts the vault must allow it, and the principal's own account must, too.
/// 4. With a session policy, nothing is allowed that it does not allow as well.
public enum AccessEvaluation {
    /// Whether `request` is allowed by all that `policies` say. Pure; the same input gives the same decision.
    public static func decide(_ request: PolicyRequest, _ policies: PolicySet) -> AccessDecision {
        var vault: [Sourced] = []
        if request.action.concernsOneVault {
            if let lock = policies.vaultLock { vault.append(Sourced(.lockPolicy, lock)) }
            if let access = policies.vaultAccess { vault.append(Sourced(.accessPolicy, access)) }
        }
        let identity = policies.identity.map { Sourced(.identityPolicy($0.name), $0.document) }
        let session = policies.session.map { Sourced(.sessionPolicy, $0) }

        for sourced in vault + identity + (session.map { [$0] } ?? []) {
            if let denial = sourced.first(.deny, request) { return AccessDecision(.explicitDeny, denial.statement) }
        }
        let own = request.principal.isRoot ? nil : identity.lazy.compactMap { $0.first(.allow, request) }.first?.statement
        let granted = vault.lazy.compactMap { $0.first(.allow, request) }
        let decision = request.principal.account == request.resourceAccount
            ? inside(request, own, granted.first { $0.reach == .principal }?.statement)
            : across(request, own, granted.first?.statement)
        guard decision.isAllowed, let session else { return decision }
        guard let allowance = session.first(.allow, request) else { return AccessDecision(.noStatementAllows(.session)) }
        return decision.deciding == nil ? AccessDecision(.allowed, allowance.statement) : decision
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
            _ effect: PolicyStatement.Effect, _ request: PolicyRequest
        ) -> (statement: AccessDecision.DecidingStatement, reach: PolicyStatement.Reach)? {
            var delegated: AccessDecision.DecidingStatement?
            for statement in document.statements where statement.effect == effect {
                let named = AccessDecision.DecidingStatement(source: source, statement: statement.name)
                switch statement.reach(request) {
                case .none: continue
                case .principal: return (named, .principal)
                case .account: delegated = delegated ?? named
                }
            }
            return delegated.map { ($0, .account) }
        }
    }
}
