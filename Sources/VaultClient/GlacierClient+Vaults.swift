// SPDX-License-Identifier: Apache-2.0

import NIOHTTP1

extension GlacierClient {
    /// CreateVault: succeeds also when the vault exists. Returns its `Location`.
    public func createVault(_ name: String) async throws -> String {
        let call = GlacierCall(operation: "CreateVault '\(name)'", method: "PUT", path: try Self.vaultPath(name))
        return try await perform(call).first(name: "location") ?? ""
    }

    /// DescribeVault.
    public func describeVault(_ name: String) async throws -> VaultDescription {
        let call = GlacierCall(operation: "DescribeVault '\(name)'", method: "GET", path: try Self.vaultPath(name))
        return try VaultDescription(try await document(call))
    }

    /// DeleteVault: refused by the service unless the vault is empty.
    public func deleteVault(_ name: String) async throws {
        let call = GlacierCall(operation: "DeleteVault '\(name)'", method: "DELETE", path: try Self.vaultPath(name))
        _ = try await perform(call)
    }

    /// ListVaults, all pages.
    public func listVaults() async throws -> [VaultDescription] {
        let call = GlacierCall(operation: "ListVaults", method: "GET", path: ["vaults"])
        return try await pages(call, items: "VaultList").map { try VaultDescription($0) }
    }

    /// The path of a vault, after checking that the name can be one: a bad name would otherwise be a puzzling 404.
    static func vaultPath(_ name: String) throws(ClientError) -> [String] {
        let isAllowed = name.utf8.allSatisfy {
            (97...122).contains($0) || (65...90).contains($0) || (48...57).contains($0) || [45, 46, 95].contains($0)
        }
        guard isAllowed, (1...255).contains(name.utf8.count), name != ".", name != ".." else {
            throw ClientError(
                .usage, "'\(name)' cannot be the name of a vault.",
                remedy: "Names have 1 to 255 characters out of a-z, A-Z, 0-9, '_', '-' and '.'.")
        }
        return ["vaults", name]
    }

    /// Archive, upload and job ids are opaque, but they are URL-safe and bounded; anything else is a slip of the pen.
    static func identifier(_ id: String, _ what: String) throws(ClientError) -> String {
        let isAllowed = id.utf8.allSatisfy {
            (97...122).contains($0) || (65...90).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 95
        }
        guard isAllowed, (1...512).contains(id.utf8.count) else {
            throw ClientError(
                .usage, "'\(id)' cannot be \(what).",
                remedy: "Ids consist of a-z, A-Z, 0-9, '-' and '_'; quote them in full.")
        }
        return id
    }
}
