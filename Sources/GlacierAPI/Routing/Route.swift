// SPDX-License-Identifier: Apache-2.0

/// What a method and a path ask for.
struct Route: Sendable, Hashable {
    let operation: GlacierOperation
    /// First segment: an account number or `-`. Not judged yet.
    let account: String
    /// Third segment, percent-encoding undone; empty for ListVaults. Not judged yet.
    let vault: String
    /// Archive, upload or job id; empty where there is none. Not judged yet.
    let identifier: String

    /// - Throws: `BadRequest`, the service's answer to a path or method outside its table.
    init(method: String, segments: [String]) throws(WireError) {
        let path = Array(segments.dropFirst())
        account = segments.first ?? ""
        vault = path.count > 1 ? path[1] : ""
        identifier = path.count > 3 ? path[3] : ""
        guard !account.isEmpty, let operation = Self.operation(method, path) else {
            throw .badRequest(Self.refusal(method, path))
        }
        self.operation = operation
    }

    private static func operation(_ method: String, _ path: [String]) -> GlacierOperation? {
        guard path.first == "vaults", !path.contains("") else { return nil }
        switch (method, path.count) {
        case ("GET", 1): return .listVaults
        case ("PUT", 2): return .createVault
        case ("GET", 2): return .describeVault
        case ("DELETE", 2): return .deleteVault
        default: break
        }
        guard path.count > 2 else { return nil }
        switch (path[2], method, path.count) {
        case ("archives", "POST", 3): return .uploadArchive
        case ("archives", "DELETE", 4): return .deleteArchive
        case ("multipart-uploads", "POST", 3): return .initiateMultipartUpload
        case ("multipart-uploads", "GET", 3): return .listMultipartUploads
        case ("multipart-uploads", "PUT", 4): return .uploadMultipartPart
        case ("multipart-uploads", "POST", 4): return .completeMultipartUpload
        case ("multipart-uploads", "DELETE", 4): return .abortMultipartUpload
        case ("multipart-uploads", "GET", 4): return .listParts
        case ("jobs", "POST", 3): return .initiateJob
        case ("jobs", "GET", 3): return .listJobs
        case ("jobs", "GET", 4): return .describeJob
        case ("jobs", "GET", 5): return path[4] == "output" ? .getJobOutput : nil
        default: return nil
        }
    }

    /// Tells an operation that is not offered from a path that means nothing.
    private static func refusal(_ method: String, _ path: [String]) -> String {
        let later: Set<String> = ["notification-configuration", "access-policy", "lock-policy", "tags"]
        if path.count > 2, path[0] == "vaults", later.contains(path[2]) {
            return "This service does not offer \(path[2]) yet. Docs/API/Compatibility.md lists what it offers."
        }
        if let first = path.first, first == "policies" || first == "provisioned-capacity" {
            return "This service does not offer \(first) yet. Docs/API/Compatibility.md lists what it offers."
        }
        return "No operation of the Glacier API has this method and path."
    }
}
