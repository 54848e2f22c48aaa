// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultEngine
import VaultModel

/// Reads the body of InitiateJob.
///
/// The members stand bare, as every SDK sends them; the wrapper `{"jobParameters": …}` of one old example is tolerated.
enum JobParameters {
    static func parse(_ body: [UInt8]) throws(WireError) -> JobRequest {
        let document = try RequestMembers(parsing: body, missing: "Job Parameters")
        let wrapped = document.value("jobParameters").flatMap { $0.objectValue == nil ? nil : RequestMembers($0) }
        let members = wrapped ?? document
        guard let type = try members.text("Type") else { throw .missing("type") }
        let action: JobRequest.Action
        switch type {
        case "archive-retrieval": action = try archiveRetrieval(members)
        case "inventory-retrieval": action = .inventory(try inventory(members))
        case "select":
            throw .invalid(
                "Type", type, because: "Select jobs are not offered: retrieve the archive and query it where you are.")
        default:
            throw .invalid(
                "Type", PrintableText.excerpt(type), because: "It must be archive-retrieval or inventory-retrieval.")
        }
        return JobRequest(
            action: action, tier: try tier(members), description: try description(members),
            snsTopic: try members.topic("SNSTopic")?.text)
    }

    private static func archiveRetrieval(_ members: RequestMembers) throws(WireError) -> JobRequest.Action {
        guard let archiveID = try members.text("ArchiveId") else { throw .missing("archiveId") }
        guard try members.text("Format") == nil, try members.members("InventoryRetrievalParameters") == nil else {
            throw .invalid("Format and InventoryRetrievalParameters belong to inventory-retrieval jobs only.")
        }
        var range: ByteRange?
        if let text = try members.text("RetrievalByteRange") {
            range = ByteRange(text)
            guard range != nil else {
                throw .invalid(
                    "RetrievalByteRange", PrintableText.excerpt(text), because: "It must have the form <first>-<last>.")
            }
        }
        return .archive(archiveID: archiveID, range: range)
    }

    private static func inventory(_ members: RequestMembers) throws(WireError) -> InventoryParameters {
        for name in ["ArchiveId", "RetrievalByteRange"] where members.has(name) {
            throw .invalid("\(name) must not be given for an inventory-retrieval job.")
        }
        var parameters = InventoryParameters()
        if let text = try members.text("Format") {
            guard let format = InventoryParameters.Format(rawValue: text) else {
                throw .invalid("Format", PrintableText.excerpt(text), because: "It must be JSON or CSV.")
            }
            parameters.format = format
        }
        guard let nested = try members.members("InventoryRetrievalParameters") else { return parameters }
        (parameters.startDate, parameters.startDateText) = try date("StartDate", nested)
        (parameters.endDate, parameters.endDateText) = try date("EndDate", nested)
        parameters.limit = try nested.count("Limit")
        parameters.marker = try nested.text("Marker")
        return parameters
    }

    private static func date(_ name: String, _ members: RequestMembers) throws(WireError) -> (Timestamp?, String?) {
        guard let text = try members.text(name) else { return (nil, nil) }
        guard let time = Timestamp(iso8601: text) else {
            throw .invalid(
                name, PrintableText.excerpt(text), because: "It must be a date such as 2013-03-20T17:03:43Z.")
        }
        return (time, text)
    }

    private static func tier(_ members: RequestMembers) throws(WireError) -> RetrievalTier? {
        guard let text = try members.text("Tier") else { return nil }
        guard let tier = RetrievalTier(rawValue: text) else {
            throw .invalid("Tier", PrintableText.excerpt(text), because: "It must be Expedited, Standard or Bulk.")
        }
        return tier
    }

    private static func description(_ members: RequestMembers) throws(WireError) -> String? {
        guard let text = try members.text("Description") else { return nil }
        guard PrintableText.isDescription(text) else {
            throw .invalid("Description", PrintableText.excerpt(text), because: PrintableText.rule)
        }
        return text
    }
}
