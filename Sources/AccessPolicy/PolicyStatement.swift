// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// One statement of a policy, resolved as far as it can be without a request.
struct PolicyStatement: Hashable, Sendable {
    enum Effect: Hashable { case allow, deny }

    /// Whom a vault's policy speaks of.
    struct Principals: Hashable, Sendable {
        /// `NotPrincipal`: everybody but these.
        let isNegated: Bool
        /// `*` is among them.
        let everybody: Bool
        /// Named by id or root ARN.
        let accounts: Set<AccountID>
        let users: Set<Principal>
    }

    struct Resources: Hashable, Sendable {
        /// `NotResource`: everything but these.
        let isNegated: Bool
        let templates: [PatternTemplate]
    }

    /// How a statement applies to a request.
    enum Reach: Hashable {
        case none
        /// It names the principal's account: authority is given to the account, which has to pass it on.
        case account
        /// It names the principal, everybody, or stands in the principal's own policy.
        case principal
    }

    /// Its `Sid`, or `Statement[<index>]`.
    let name: String
    let effect: Effect
    /// Nil in identity and session policies.
    let principals: Principals?
    /// What `Action` and `NotAction` come down to.
    let actions: Set<VaultAction>
    let resources: Resources
    let conditions: [PolicyCondition]

    func reach(_ request: PolicyRequest, _ work: MatchWork) -> Reach {
        guard actions.contains(request.action) else { return .none }
        let reach = principals?.reach(request.principal, effect) ?? .principal
        guard reach != .none else { return .none }
        let applies = work.judging {
            resources.cover(request, effect, work)
                && conditions.allSatisfy { $0.holds(for: request, effect: effect, work) }
        }
        // What takes too long to find out is taken for the answer that gives no access.
        return applies ?? (effect == .deny) ? reach : .none
    }
}

extension PolicyStatement.Principals {
    func reach(_ principal: Principal, _ effect: PolicyStatement.Effect) -> PolicyStatement.Reach {
        if isNegated {
            // Exceptions are exact: the account's entry excepts its root, users are excepted one by one.
            let isExcepted = principal.isRoot ? accounts.contains(principal.account) : users.contains(principal)
            return isExcepted ? .none : .principal
        }
        if everybody || users.contains(principal) { return .principal }
        guard accounts.contains(principal.account) else { return .none }
        return effect == .deny || principal.isRoot ? .principal : .account
    }
}

extension PolicyStatement.Resources {
    func cover(_ request: PolicyRequest, _ effect: PolicyStatement.Effect, _ work: MatchWork) -> Bool {
        let resource = Array(request.resource.unicodeScalars)
        if isNegated, effect == .allow, templates.contains(where: { $0.lacksValue(request, work) }) { return false }
        return templates.contains { $0.matches(resource, request, work) } != isNegated
    }
}
