// SPDX-License-Identifier: Apache-2.0

/// The 33 operations of the Glacier vault API (2012-06-01): what can be asked for, and what policies allow or deny.
public enum VaultAction: String, Hashable, Sendable, CaseIterable {
    case createVault = "CreateVault"
    case describeVault = "DescribeVault"
    case deleteVault = "DeleteVault"
    case listVaults = "ListVaults"
    case uploadArchive = "UploadArchive"
    case deleteArchive = "DeleteArchive"
    case initiateMultipartUpload = "InitiateMultipartUpload"
    case uploadMultipartPart = "UploadMultipartPart"
    case completeMultipartUpload = "CompleteMultipartUpload"
    case abortMultipartUpload = "AbortMultipartUpload"
    case listParts = "ListParts"
    case listMultipartUploads = "ListMultipartUploads"
    case initiateJob = "InitiateJob"
    case describeJob = "DescribeJob"
    case listJobs = "ListJobs"
    case getJobOutput = "GetJobOutput"
    case setVaultNotifications = "SetVaultNotifications"
    case getVaultNotifications = "GetVaultNotifications"
    case deleteVaultNotifications = "DeleteVaultNotifications"
    case setVaultAccessPolicy = "SetVaultAccessPolicy"
    case getVaultAccessPolicy = "GetVaultAccessPolicy"
    case deleteVaultAccessPolicy = "DeleteVaultAccessPolicy"
    case initiateVaultLock = "InitiateVaultLock"
    case completeVaultLock = "CompleteVaultLock"
    case abortVaultLock = "AbortVaultLock"
    case getVaultLock = "GetVaultLock"
    case addTagsToVault = "AddTagsToVault"
    case removeTagsFromVault = "RemoveTagsFromVault"
    case listTagsForVault = "ListTagsForVault"
    case setDataRetrievalPolicy = "SetDataRetrievalPolicy"
    case getDataRetrievalPolicy = "GetDataRetrievalPolicy"
    case purchaseProvisionedCapacity = "PurchaseProvisionedCapacity"
    case listProvisionedCapacity = "ListProvisionedCapacity"

    /// The name policies use: `glacier:` and the operation's name.
    public var policyName: String { "glacier:\(rawValue)" }

    /// Whether it concerns an account as a whole instead of one vault; then no vault's policy has a say.
    public var isAccountLevel: Bool {
        switch self {
        case .listVaults, .setDataRetrievalPolicy, .getDataRetrievalPolicy, .purchaseProvisionedCapacity, .listProvisionedCapacity: true
        default: false
        }
    }
}
