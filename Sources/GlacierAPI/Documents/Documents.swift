// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import VaultEngine
import VaultModel

/// The JSON documents of the API. Every documented member is present, null where it has no value: old clients insist on
/// it.
enum Documents {
    static func vault(_ vault: VaultDescription) -> JSONValue {
        [
            "CreationDate": .string(vault.created.iso8601Milliseconds),
            "LastInventoryDate": .text(vault.lastInventory?.iso8601Milliseconds),
            "NumberOfArchives": .count(vault.archiveCount),
            "SizeInBytes": .count(vault.totalBytes),
            "VaultARN": .string(vault.location.arn),
            "VaultName": .string(vault.location.name.text),
        ]
    }

    static func upload(_ upload: UploadDescription, in location: VaultLocation) -> [String: JSONValue] {
        [
            "ArchiveDescription": .text(upload.description.isEmpty ? nil : upload.description),
            "CreationDate": .string(upload.created.iso8601Milliseconds),
            "MultipartUploadId": .string(upload.uploadID),
            "PartSizeInBytes": .count(upload.partBytes),
            "VaultARN": .string(location.arn),
        ]
    }

    static func parts(_ page: PartPage, in location: VaultLocation) -> JSONValue {
        var members = upload(page.upload, in: location)
        members["Marker"] = .text(page.next)
        members["Parts"] = .array(
            page.parts.map {
                ["RangeInBytes": .string($0.range.description), "SHA256TreeHash": .string($0.treeHash.hex)]
            })
        return .object(members)
    }

    /// 21 members, for both kinds of job.
    static func job(_ job: JobDescription) -> JSONValue {
        let archive = job.archive
        return [
            "Action": .string(archive == nil ? "InventoryRetrieval" : "ArchiveRetrieval"),
            "ArchiveId": .text(archive?.archiveID),
            "ArchiveSHA256TreeHash": .text(archive?.archiveTreeHash.hex),
            "ArchiveSizeInBytes": .count(archive?.archiveBytes),
            "Completed": .bool(job.status != .inProgress),
            "CompletionDate": .text(job.completed?.iso8601Milliseconds),
            "CreationDate": .string(job.created.iso8601Milliseconds),
            "InventoryRetrievalParameters": job.inventory.map(inventoryParameters) ?? .null,
            "InventorySizeInBytes": .count(job.inventoryBytes),
            "JobDescription": .text(job.description),
            "JobId": .string(job.jobID),
            "JobOutputPath": .null,
            "OutputLocation": .null,
            "RetrievalByteRange": .text(archive?.range.description),
            "SHA256TreeHash": .text(archive?.rangeTreeHash?.hex),
            "SNSTopic": .text(job.snsTopic),
            "SelectParameters": .null,
            "StatusCode": .string(job.status.rawValue),
            "StatusMessage": .text(job.statusMessage),
            "Tier": .text(job.tier?.rawValue),
            "VaultARN": .string(job.location.arn),
        ]
    }

    private static func inventoryParameters(_ parameters: InventoryParameters) -> JSONValue {
        [
            "EndDate": .text(parameters.endDateText),
            "Format": .string(parameters.format.rawValue),
            "Limit": .text(parameters.limit.map { String($0) }),
            "Marker": .text(parameters.marker),
            "StartDate": .text(parameters.startDateText),
        ]
    }
}

extension JSONValue {
    /// A string, or null.
    static func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }

    /// A number of bytes or things, or null.
    static func count(_ value: UInt64?) -> JSONValue { value.map { .integer(Int64(clamping: $0)) } ?? .null }
}
