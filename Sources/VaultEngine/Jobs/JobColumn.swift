// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import VaultModel

/// The sealed part of a job: what its client wrote, and hashes.
struct JobColumn: ColumnDocument, Equatable {
    static let table = "jobs"

    var description: String?
    var snsTopic: String?
    var statusMessage: String?
    var archiveTreeHash: SHA256Digest?
    var rangeTreeHash: SHA256Digest?
    var archiveDescription: String?
    var inventory: InventoryParameters?
    /// Where the page after this inventory begins.
    var nextMarker: String?

    init() {}

    var json: JSONValue {
        [
            "archiveDescription": .optional(archiveDescription), "archiveTreeHash": .optional(archiveTreeHash?.hex),
            "description": .optional(description), "inventory": inventory.map(Self.json) ?? .null,
            "nextMarker": .optional(nextMarker), "rangeTreeHash": .optional(rangeTreeHash?.hex),
            "snsTopic": .optional(snsTopic), "statusMessage": .optional(statusMessage),
        ]
    }

    init?(json: JSONValue) {
        guard json.objectValue != nil else { return nil }
        description = json["description"]?.stringValue
        snsTopic = json["snsTopic"]?.stringValue
        statusMessage = json["statusMessage"]?.stringValue
        archiveTreeHash = json.digest("archiveTreeHash")
        rangeTreeHash = json.digest("rangeTreeHash")
        archiveDescription = json["archiveDescription"]?.stringValue
        nextMarker = json["nextMarker"]?.stringValue
        if let document = json["inventory"], !document.isNull {
            guard let parameters = Self.inventory(document) else { return nil }
            inventory = parameters
        }
    }

    private static func json(_ parameters: InventoryParameters) -> JSONValue {
        [
            "endDate": .optional(parameters.endDateText), "format": .string(parameters.format.rawValue),
            "limit": parameters.limit.map { .integer(Int64(clamping: $0)) } ?? .null, "marker": .optional(parameters.marker),
            "startDate": .optional(parameters.startDateText),
        ]
    }

    private static func inventory(_ json: JSONValue) -> InventoryParameters? {
        guard let formatText = json["format"]?.stringValue, let format = InventoryParameters.Format(rawValue: formatText) else {
            return nil
        }
        let start = json["startDate"]?.stringValue
        let end = json["endDate"]?.stringValue
        return InventoryParameters(
            format: format, startDate: start.flatMap { Timestamp(iso8601: $0) }, startDateText: start,
            endDate: end.flatMap { Timestamp(iso8601: $0) }, endDateText: end,
            limit: json["limit"]?.integerValue.map { UInt64($0) }, marker: json["marker"]?.stringValue)
    }
}
