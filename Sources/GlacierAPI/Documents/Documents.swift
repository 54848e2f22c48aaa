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
}

extension JSONValue {
    /// A string, or null.
    static func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }

    /// A number of bytes or things, or null.
    static func count(_ value: UInt64?) -> JSONValue { value.map { .integer(Int64(clamping: $0)) } ?? .null }
}
