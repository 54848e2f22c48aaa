// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Storage
public import VaultModel

/// What an account sets for its retrievals in a region: the data retrieval policy and provisioned capacity.
extension VaultEngine {
    /// Applies to jobs initiated from now on. Durable on return.
    public func setDataRetrievalPolicy(
        _ account: AccountID, _ region: Region, _ policy: DataRetrievalPolicy, by caller: Caller? = nil
    ) async throws(VaultError) {
        if case .bytesPerHour(let bytes) = policy, !(1...UInt64(Int64.max)).contains(bytes) {
            throw VaultError(.invalidParameter, "BytesPerHour must be between 1 and \(Int64.max).")
        }
        try await changeAccount(
            account, as: .account(account, region, "glacier:SetDataRetrievalPolicy", by: AuditActor(caller))
        ) { $0.settings.retrievalPolicies[region] = policy }
    }

    public func dataRetrievalPolicy(_ account: AccountID, _ region: Region) async throws(VaultError)
        -> DataRetrievalPolicy
    {
        try await accountSettings(account).retrievalPolicies[region] ?? .none
    }

    /// Buys a unit for one calendar month from now on; the result is its id. Durable on return.
    public func purchaseProvisionedCapacity(
        _ account: AccountID, _ region: Region, by caller: Caller? = nil
    ) async throws(VaultError) -> String {
        // To the second, so that it ends one calendar month later to the second.
        let now = Timestamp(milliseconds: clock.now().milliseconds / 1000 * 1000)
        // Letters and digits only: an id that began with a hyphen would look like an option to command lines.
        let unit = CapacityUnit(
            id: AccessKeyText.make(characters: 24, out: AccessKeyText.secretAlphabet, random: random), start: now,
            expiration: now.oneCalendarMonthLater)
        try await changeAccount(
            account, as: .account(account, region, "glacier:PurchaseProvisionedCapacity", by: AuditActor(caller))
        ) { state in
            let active = state.settings.capacity[region, default: []].filter { $0.isActive(at: now) }
            guard active.count < CapacityUnit.limit else {
                throw VaultError(
                    .limitExceeded,
                    "The account has \(active.count) units of provisioned capacity in region \(region), "
                        + "which is the limit. Wait until one expires."
                )
            }
            state.settings.capacity[region] = active + [unit]
        }
        return unit.id
    }

    /// The units that have not expired, in order of their purchase.
    public func provisionedCapacity(_ account: AccountID, _ region: Region) async throws(VaultError) -> [CapacityUnit] {
        let now = clock.now()
        return try await accountSettings(account).capacity[region, default: []].filter { $0.isActive(at: now) }
    }

    /// None for an account that does not exist.
    func accountSettings(_ account: AccountID) async throws(VaultError) -> AccountSettings {
        try await vaultErrors("reading an account's settings") {
            guard let row = try await catalog.account(account) else { return .none }
            return try settings(of: row)
        }
    }
}
