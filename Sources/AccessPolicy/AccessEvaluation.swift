// SPDX-License-Identifier: Apache-2.0

/// Decides requests: Docs/API/Policies.md, "Evaluation".
public enum AccessEvaluation {
    /// Whether `request` is allowed by all that `policies` say. Pure; the same input gives the same decision.
    public static func decide(_ request: PolicyRequest, _ policies: PolicySet) -> AccessDecision {
        AccessDecision(.noStatementAllows(.identityOrVault))
    }
}
