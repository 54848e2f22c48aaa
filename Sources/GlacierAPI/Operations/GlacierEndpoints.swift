// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOHTTP1
import VaultEngine
import VaultModel

/// A request that is authenticated and routed: what an operation needs to do its work.
struct OperationRequest: Sendable {
    let caller: Caller
    let route: Route
    let target: RequestTarget
    let headers: RequestHeaders
    /// Nil without Content-Length.
    let contentLength: UInt64?
    /// The whole body; empty for the two operations that stream theirs.
    let wholeBody: [UInt8]
    let stream: RequestBody
    /// `x-amz-content-sha256`, already part of the verified signature; nil when the client did not state it.
    let statedBodyHash: SHA256Digest?

    /// The vault the path names.
    /// - Throws: the service's answer to a vault that cannot exist, with the name as given.
    func location() throws(WireError) -> VaultLocation {
        guard let name = VaultName(route.vault) else {
            throw WireError(404, "ResourceNotFoundException", "Vault not found for ARN: \(route.vault)")
        }
        return VaultLocation(account: caller.account, region: caller.region, name: name)
    }

    /// `/<account>/vaults/<vault>`, always with the real account number.
    func path(of location: VaultLocation) -> String { "/\(location.account)/vaults/\(location.name)" }
}

/// The operations: syntax is judged here, state by the engine.
struct GlacierEndpoints: Sendable {
    let operations: any GlacierOperations

    func answer(_ request: OperationRequest) async throws -> Answer {
        switch request.route.operation {
        case .createVault: try await createVault(request)
        case .describeVault: try await describeVault(request)
        case .deleteVault: try await deleteVault(request)
        case .listVaults: try await listVaults(request)
        case .uploadArchive: try await uploadArchive(request)
        case .deleteArchive: try await deleteArchive(request)
        case .initiateMultipartUpload: try await initiateUpload(request)
        case .uploadMultipartPart: try await uploadPart(request)
        case .completeMultipartUpload: try await completeUpload(request)
        case .abortMultipartUpload: try await abortUpload(request)
        case .listParts: try await listParts(request)
        case .listMultipartUploads: try await listUploads(request)
        case .initiateJob: try await initiateJob(request)
        case .describeJob: try await describeJob(request)
        case .listJobs: try await listJobs(request)
        case .getJobOutput: try await getJobOutput(request)
        }
    }
}

extension Answer {
    static func json(_ document: JSONValue, status: HTTPResponseStatus = .ok) -> Answer {
        Answer(
            status: status, headers: [("Content-Type", "application/json")], payload: .bytes(document.canonicalBytes()))
    }

    /// 201 or 202: the data is in the headers, the body is `{}`.
    static func accepted(_ status: HTTPResponseStatus, _ headers: [(name: String, value: String)]) -> Answer {
        var answer = json([:], status: status)
        answer.headers += headers
        return answer
    }

    /// 204.
    static func noContent(_ headers: [(name: String, value: String)] = []) -> Answer {
        Answer(status: .noContent, headers: headers)
    }
}
