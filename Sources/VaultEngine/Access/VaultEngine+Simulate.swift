// SPDX-License-Identifier: Apache-2.0

public import AccessPolicy
public import VaultModel

extension VaultEngine {
    /// What ``authorize(_:_:on:)`` would decide now about exactly this caller, and why. Nothing is logged.
    public func simulate(
        _ caller: Caller, _ action: VaultAction, on target: AccessTarget
    ) async throws(VaultError) -> AccessDecision {
        try await vaultErrors("simulating an access") {
            try await judge(caller, action, on: target, at: try await clockKeeper.reading()).decision
        }
    }
}
