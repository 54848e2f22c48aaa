// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// What a method, a path and, for tags, the query ask for.
struct Route: Sendable, Hashable {
    let action: VaultAction
    /// First segment: an account number or `-`. Not judged yet.
    let account: String
    /// Third segment, percent-encoding undone; empty for actions on an account. Not judged yet.
    let vault: String
    /// Archive, upload, job or lock id; empty where there is none. Not judged yet.
    let identifier: String

    /// - Throws: `BadRequest`, the service's answer to a path or method outside its table; the refusal of a tag request
    ///   that does not say whether to add or to remove.
    init(method: String, target: RequestTarget) throws(WireError) {
        let segments = target.segments
        let path = Array(segments.dropFirst())
        account = segments.first ?? ""
        guard !account.isEmpty, !path.isEmpty, !path.contains("") else { throw Self.unknown }
        if path[0] == "vaults" {
            vault = path.count > 1 ? path[1] : ""
            identifier = path.count > 3 ? path[3] : ""
            action = try Self.vaultAction(method, path, target)
        } else {
            (vault, identifier) = ("", "")
            guard let action = Self.accountAction(method, path) else { throw Self.unknown }
            self.action = action
        }
    }

    private static let unknown = WireError.badRequest("No operation of the Glacier API has this method and path.")

    private static func accountAction(_ method: String, _ path: [String]) -> VaultAction? {
        switch (method, path) {
        case ("GET", ["policies", "data-retrieval"]): .getDataRetrievalPolicy
        case ("PUT", ["policies", "data-retrieval"]): .setDataRetrievalPolicy
        case ("GET", ["provisioned-capacity"]): .listProvisionedCapacity
        case ("POST", ["provisioned-capacity"]): .purchaseProvisionedCapacity
        default: nil
        }
    }

    private static func vaultAction(
        _ method: String, _ path: [String], _ target: RequestTarget
    ) throws(WireError) -> VaultAction {
        guard path.count > 2 else {
            switch (method, path.count) {
            case ("GET", 1): return .listVaults
            case ("PUT", 2): return .createVault
            case ("GET", 2): return .describeVault
            case ("DELETE", 2): return .deleteVault
            default: throw unknown
            }
        }
        if method == "POST", path[2] == "tags", path.count == 3 { return try tagAction(target) }
        guard let action = contentAction(method, path) ?? settingAction(method, path) else { throw unknown }
        return action
    }

    /// Archives, uploads and jobs of a vault.
    private static func contentAction(_ method: String, _ path: [String]) -> VaultAction? {
        switch (path[2], method, path.count) {
        case ("archives", "POST", 3): .uploadArchive
        case ("archives", "DELETE", 4): .deleteArchive
        case ("multipart-uploads", "POST", 3): .initiateMultipartUpload
        case ("multipart-uploads", "GET", 3): .listMultipartUploads
        case ("multipart-uploads", "PUT", 4): .uploadMultipartPart
        case ("multipart-uploads", "POST", 4): .completeMultipartUpload
        case ("multipart-uploads", "DELETE", 4): .abortMultipartUpload
        case ("multipart-uploads", "GET", 4): .listParts
        case ("jobs", "POST", 3): .initiateJob
        case ("jobs", "GET", 3): .listJobs
        case ("jobs", "GET", 4): .describeJob
        case ("jobs", "GET", 5): path[4] == "output" ? .getJobOutput : nil
        default: nil
        }
    }

    /// What the owner sets on a vault.
    private static func settingAction(_ method: String, _ path: [String]) -> VaultAction? {
        switch (path[2], method, path.count) {
        case ("notification-configuration", "PUT", 3): .setVaultNotifications
        case ("notification-configuration", "GET", 3): .getVaultNotifications
        case ("notification-configuration", "DELETE", 3): .deleteVaultNotifications
        case ("access-policy", "PUT", 3): .setVaultAccessPolicy
        case ("access-policy", "GET", 3): .getVaultAccessPolicy
        case ("access-policy", "DELETE", 3): .deleteVaultAccessPolicy
        case ("lock-policy", "POST", 3): .initiateVaultLock
        case ("lock-policy", "POST", 4): .completeVaultLock
        case ("lock-policy", "DELETE", 3): .abortVaultLock
        case ("lock-policy", "GET", 3): .getVaultLock
        case ("tags", "GET", 3): .listTagsForVault
        default: nil
        }
    }

    /// The only two operations that share a method and a path.
    private static func tagAction(_ target: RequestTarget) throws(WireError) -> VaultAction {
        switch target.parameter("operation") {
        case "add": return .addTagsToVault
        case "remove": return .removeTagsFromVault
        case nil: throw .missing("operation")
        case let other?:
            throw .invalid("operation", PrintableText.excerpt(other), because: "It must be add or remove.")
        }
    }
}

extension VaultAction {
    /// Whether the body is streamed to the engine instead of being read whole before the operation begins.
    var streamsBody: Bool { self == .uploadArchive || self == .uploadMultipartPart }
}
