// SPDX-License-Identifier: Apache-2.0

/// The operations of the Glacier API that this service answers; the names are those of the API.
enum GlacierOperation: String, Sendable, CaseIterable {
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

    /// Whether the body is streamed to the engine instead of being read whole before the operation begins.
    var streamsBody: Bool { self == .uploadArchive || self == .uploadMultipartPart }
}
