// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import NIOHTTP1
import VaultEngine
import VaultModel

extension GlacierEndpoints {
    func createVault(_ request: OperationRequest) async throws -> Answer {
        let location = try request.location()
        try await operations.createVault(location, by: request.caller)
        return .accepted(.created, [("Location", request.path(of: location))])
    }

    func describeVault(_ request: OperationRequest) async throws -> Answer {
        .json(Documents.vault(try await operations.describeVault(try request.location())))
    }

    func deleteVault(_ request: OperationRequest) async throws -> Answer {
        try await operations.deleteVault(try request.location(), by: request.caller)
        return .noContent()
    }

    func listVaults(_ request: OperationRequest) async throws -> Answer {
        let limit = try request.target.pageLimit(maximum: Limits.vaultsPerPage)
        let page = try await operations.listVaults(
            account: request.account, region: request.caller.region, from: try firstVault(request), limit: limit)
        let next = page.next.map {
            VaultLocation(account: request.account, region: request.caller.region, name: $0).arn
        }
        return .json(["Marker": .text(next), "VaultList": .array(page.vaults.map(Documents.vault))])
    }

    /// The marker is the ARN of the page's first vault.
    private func firstVault(_ request: OperationRequest) throws(WireError) -> VaultName? {
        guard let marker = request.target.parameter("marker") else { return nil }
        let prefix = "arn:aws:glacier:\(request.caller.region):\(request.account):vaults/"
        guard marker.hasPrefix(prefix), let name = VaultName(String(marker.dropFirst(prefix.count))) else {
            throw .invalid("marker", PrintableText.excerpt(marker), because: "Send the Marker of the previous page.")
        }
        return name
    }
}
