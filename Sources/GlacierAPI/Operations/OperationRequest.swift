// SPDX-License-Identifier: Apache-2.0

import Cryptography
import VaultEngine
import VaultModel

/// A request that is authenticated and routed: what an operation needs to do its work.
struct OperationRequest: Sendable {
    let caller: Caller
    let route: Route
    /// Of the path: the caller's own, or another one, if its owner lets the caller in.
    let account: AccountID
    let target: RequestTarget
    let headers: RequestHeaders
    /// Nil without Content-Length.
    let contentLength: UInt64?
    /// The whole body, once it was read; stays empty for the two operations that stream theirs.
    var wholeBody: [UInt8] = []
    /// InitiateJob's body, or what is wrong with it.
    var job: Result<JobRequest, WireError>?
    let stream: RequestBody
    /// `x-amz-content-sha256`, already part of the verified signature; nil when the client did not state it.
    let statedBodyHash: SHA256Digest?

    /// The vault the path names.
    /// - Throws: the service's answer to a vault that cannot exist, with the name as given.
    func location() throws(WireError) -> VaultLocation {
        if let name = VaultName(route.vault) {
            return VaultLocation(account: account, region: caller.region, name: name)
        }
        // Not a word about a foreign account's vaults, not even that one cannot exist.
        guard account == caller.principal.account else { throw .foreignAccount(account.digits) }
        guard route.action == .createVault else {
            throw WireError(404, "ResourceNotFoundException", "Vault not found for ARN: \(route.vault)")
        }
        throw .invalid(
            "vault name", PrintableText.excerpt(route.vault),
            because: "It must have 1 to 255 characters out of A-Z, a-z, 0-9, '_', '-' and '.', and not be '.' or '..'.")
    }

    /// What permission is needed for; nil for DeleteArchive, which the engine judges in one step with the deletion.
    func accessTarget() throws(WireError) -> AccessTarget? {
        if route.action.isAccountLevel { return .account(account, caller.region) }
        let location = try location()
        switch route.action {
        case .deleteArchive: return nil
        case .initiateJob:
            // A retrieval may depend on the archive's age. A body that cannot be read is judged as one about the vault,
            // so that who is not let in learns nothing else.
            guard case .success(let job) = job, case .archive(let id, _) = job.action else { return .vault(location) }
            return .archive(location, id: id)
        default: return .vault(location)
        }
    }

    /// `/<account>/vaults/<vault>`, always with the real account number.
    func path(of location: VaultLocation) -> String { "/\(location.account)/vaults/\(location.name)" }
}
