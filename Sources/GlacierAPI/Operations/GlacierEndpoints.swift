// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import NIOHTTP1
import VaultModel

/// The operations: syntax is judged here, state by the engine.
struct GlacierEndpoints: Sendable {
    let operations: any GlacierOperations

    func answer(_ request: OperationRequest) async throws -> Answer {
        switch request.route.action {
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
        case .setVaultNotifications: try await setVaultNotifications(request)
        case .getVaultNotifications: try await getVaultNotifications(request)
        case .deleteVaultNotifications: try await deleteVaultNotifications(request)
        case .setVaultAccessPolicy: try await setVaultAccessPolicy(request)
        case .getVaultAccessPolicy: try await getVaultAccessPolicy(request)
        case .deleteVaultAccessPolicy: try await deleteVaultAccessPolicy(request)
        case .initiateVaultLock: try await initiateVaultLock(request)
        case .completeVaultLock: try await completeVaultLock(request)
        case .abortVaultLock: try await abortVaultLock(request)
        case .getVaultLock: try await getVaultLock(request)
        case .addTagsToVault: try await addTags(request)
        case .removeTagsFromVault: try await removeTags(request)
        case .listTagsForVault: try await listTags(request)
        case .setDataRetrievalPolicy: try await setDataRetrievalPolicy(request)
        case .getDataRetrievalPolicy: try await getDataRetrievalPolicy(request)
        case .purchaseProvisionedCapacity: try await purchaseProvisionedCapacity(request)
        case .listProvisionedCapacity: try await listProvisionedCapacity(request)
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
