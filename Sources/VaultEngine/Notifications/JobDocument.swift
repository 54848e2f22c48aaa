// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON
import Cryptography
import VaultModel

extension JobDescription {
    /// The documented job document: the answer of DescribeJob, an entry of ListJobs, and what a notification carries.
    /// 21 members for both kinds of job, null where they have no value: old clients insist on it.
    public var document: JSONValue {
        [
            "Action": .string(archive == nil ? "InventoryRetrieval" : "ArchiveRetrieval"),
            "ArchiveId": .optional(archive?.archiveID),
            "ArchiveSHA256TreeHash": .optional(archive?.archiveTreeHash.hex),
            "ArchiveSizeInBytes": .optional(archive?.archiveBytes),
            "Completed": .bool(status != .inProgress),
            "CompletionDate": .optional(completed?.iso8601Milliseconds),
            "CreationDate": .string(created.iso8601Milliseconds),
            "InventoryRetrievalParameters": inventory.map(Self.parameters) ?? .null,
            "InventorySizeInBytes": .optional(inventoryBytes),
            "JobDescription": .optional(description),
            "JobId": .string(jobID),
            "JobOutputPath": .null,
            "OutputLocation": .null,
            "RetrievalByteRange": .optional(archive?.range.description),
            "SHA256TreeHash": .optional(archive?.rangeTreeHash?.hex),
            "SNSTopic": .optional(snsTopic),
            "SelectParameters": .null,
            "StatusCode": .string(status.rawValue),
            "StatusMessage": .optional(statusMessage),
            "Tier": .optional(tier?.rawValue),
            "VaultARN": .string(location.arn),
        ]
    }

    private static func parameters(_ parameters: InventoryParameters) -> JSONValue {
        [
            "EndDate": .optional(parameters.endDateText),
            "Format": .string(parameters.format.rawValue),
            "Limit": .optional(parameters.limit.map { String($0) }),
            "Marker": .optional(parameters.marker),
            "StartDate": .optional(parameters.startDateText),
        ]
    }
}

extension JSONValue {
    /// A number of bytes or things, or null.
    fileprivate static func optional(_ value: UInt64?) -> JSONValue {
        value.map { .integer(Int64(clamping: $0)) } ?? .null
    }
}
