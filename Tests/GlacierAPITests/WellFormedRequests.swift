// SPDX-License-Identifier: Apache-2.0

import Cryptography
import VaultModel

@testable import GlacierAPI

extension SignedText {
    static let retrievalBody =
        #"{"Type":"archive-retrieval","ArchiveId":"\#(FakeOperations.archiveID)","Tier":"Bulk"}"#

    /// One well-formed request of each of the 33 operations.
    /// - Parameters:
    ///   - account: the path's first segment.
    ///   - vault: as it stands in the path.
    ///   - identifier: in place of archive, upload, job and lock ids.
    static func wellFormed(
        _ action: VaultAction, account: String = "-", vault: String = "v", identifier: String = "id"
    ) -> SignedText {
        let base = "/\(account)/vaults/\(vault)"
        func json(_ method: String, _ target: String, _ body: String) -> SignedText {
            var request = SignedText(method, target)
            request.body = Array(body.utf8)
            return request
        }
        func with(_ request: SignedText, _ headers: [(name: String, value: String)]) -> SignedText {
            var request = request
            request.headers += headers
            return request
        }
        switch action {
        case .createVault: return SignedText("PUT", base)
        case .describeVault: return SignedText("GET", base)
        case .deleteVault: return SignedText("DELETE", base)
        case .listVaults: return SignedText("GET", "/\(account)/vaults")
        case .uploadArchive:
            return with(json("POST", "\(base)/archives", "body"), hashes(of: Array("body".utf8)))
        case .deleteArchive: return SignedText("DELETE", "\(base)/archives/\(identifier)")
        case .initiateMultipartUpload:
            return with(SignedText("POST", "\(base)/multipart-uploads"), [("x-amz-part-size", "1048576")])
        case .uploadMultipartPart:
            return with(
                json("PUT", "\(base)/multipart-uploads/\(identifier)", "part"),
                hashes(of: Array("part".utf8)) + [("Content-Range", "bytes 0-3/*")])
        case .completeMultipartUpload:
            return with(
                SignedText("POST", "\(base)/multipart-uploads/\(identifier)"),
                [("x-amz-archive-size", "5"), ("x-amz-sha256-tree-hash", FakeOperations.digest.hex)])
        case .abortMultipartUpload: return SignedText("DELETE", "\(base)/multipart-uploads/\(identifier)")
        case .listParts: return SignedText("GET", "\(base)/multipart-uploads/\(identifier)")
        case .listMultipartUploads: return SignedText("GET", "\(base)/multipart-uploads")
        case .initiateJob: return json("POST", "\(base)/jobs", retrievalBody)
        case .describeJob: return SignedText("GET", "\(base)/jobs/\(identifier)")
        case .listJobs: return SignedText("GET", "\(base)/jobs")
        case .getJobOutput: return SignedText("GET", "\(base)/jobs/\(identifier)/output")
        case .setVaultNotifications:
            let body =
                #"{"SNSTopic":"arn:aws:sns:us-east-1:123456789012:t","Events":["ArchiveRetrievalCompleted"]}"#
            return json("PUT", "\(base)/notification-configuration", body)
        case .getVaultNotifications: return SignedText("GET", "\(base)/notification-configuration")
        case .deleteVaultNotifications: return SignedText("DELETE", "\(base)/notification-configuration")
        case .setVaultAccessPolicy: return json("PUT", "\(base)/access-policy", #"{"Policy":"{}"}"#)
        case .getVaultAccessPolicy: return SignedText("GET", "\(base)/access-policy")
        case .deleteVaultAccessPolicy: return SignedText("DELETE", "\(base)/access-policy")
        case .initiateVaultLock: return json("POST", "\(base)/lock-policy", #"{"Policy":"{}"}"#)
        case .completeVaultLock: return SignedText("POST", "\(base)/lock-policy/\(identifier)")
        case .abortVaultLock: return SignedText("DELETE", "\(base)/lock-policy")
        case .getVaultLock: return SignedText("GET", "\(base)/lock-policy")
        case .addTagsToVault: return json("POST", "\(base)/tags?operation=add", #"{"Tags":{"k":"v"}}"#)
        case .removeTagsFromVault: return json("POST", "\(base)/tags?operation=remove", #"{"TagKeys":["k"]}"#)
        case .listTagsForVault: return SignedText("GET", "\(base)/tags")
        case .setDataRetrievalPolicy:
            let body = #"{"Policy":{"Rules":[{"Strategy":"FreeTier"}]}}"#
            return json("PUT", "/\(account)/policies/data-retrieval", body)
        case .getDataRetrievalPolicy: return SignedText("GET", "/\(account)/policies/data-retrieval")
        case .purchaseProvisionedCapacity: return SignedText("POST", "/\(account)/provisioned-capacity")
        case .listProvisionedCapacity: return SignedText("GET", "/\(account)/provisioned-capacity")
        }
    }

    /// The documented status of a success.
    static func successStatus(_ action: VaultAction) -> Int {
        switch action {
        case .createVault, .uploadArchive, .initiateMultipartUpload, .completeMultipartUpload, .initiateVaultLock,
            .purchaseProvisionedCapacity:
            201
        case .initiateJob: 202
        case .deleteVault, .deleteArchive, .uploadMultipartPart, .abortMultipartUpload, .setVaultNotifications,
            .deleteVaultNotifications, .setVaultAccessPolicy, .deleteVaultAccessPolicy, .completeVaultLock,
            .abortVaultLock, .addTagsToVault, .removeTagsFromVault, .setDataRetrievalPolicy:
            204
        default: 200
        }
    }
}
