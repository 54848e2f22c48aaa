// SPDX-License-Identifier: Apache-2.0

import AccessPolicy
import CoreMetrics
import Logging
import Storage
public import VaultModel

extension VaultEngine {
    /// Lets the action pass or throws `.accessDenied`, and then logs who wanted what and which statement decided. Judges rights only: a vault
    /// that does not exist is for the operation to report, and the reads are the same whether it exists or not.
    public func authorize(
        _ caller: Caller, _ action: VaultAction, on target: AccessTarget
    ) async throws(VaultError) -> AccessGrant {
        try await vaultErrors("checking access") {
            let judged = try await judge(caller, action, on: target, at: try await clockKeeper.reading())
            try enforce(judged, caller, action)
            return AccessGrant(vaultGeneration: judged.vault?.generation)
        }
    }

    func judge(_ caller: Caller, _ action: VaultAction, on target: AccessTarget, at time: ClockReading) async throws
        -> Judgement
    {
        let context = RequestContext(
            now: time.now, sourceAddress: caller.sourceAddress, isSecure: caller.isSecure, userAgent: caller.userAgent)
        return try await judge(
            caller.principal, action, on: target, sessionPolicy: caller.sessionPolicy, context: context, at: time)
    }

    /// Throws what the client may know of a denial: within its own account who it is and what it wanted, of another account nothing.
    func enforce(_ judged: Judgement, _ caller: Caller, _ action: VaultAction) throws(VaultError) {
        guard !judged.decision.isAllowed else { return }
        denials.increment()
        denialDesk.note(
            DenialFolder.Key(
                actor: .caller(caller), action: action.policyName, resource: judged.resource, statement: judged.decision.text),
            account: judged.resourceAccount, at: clock.now())
        logger.notice(
            "access denied",
            metadata: [
                "principal": "\(caller.principal.arn)", "accessKey": "\(caller.accessKeyID)",
                "action": "\(action.policyName)",
                "resource": "\(judged.resource)", "decision": "\(judged.decision.text)",
                "sourceAddress": "\(caller.sourceAddress ?? "none")",
            ])
        guard caller.principal.account == judged.resourceAccount else {
            throw VaultError(.accessDenied, "Access denied for account ID: \(judged.resourceAccount)")
        }
        throw VaultError(
            .accessDenied,
            "User: \(caller.principal.arn) is not authorized to perform: \(action.policyName) on resource: \(judged.resource)"
        )
    }
}
