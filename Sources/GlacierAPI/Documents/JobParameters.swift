// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultEngine
import VaultModel

/// Reads the body of InitiateJob.
///
/// The members stand bare, as every SDK sends them; the wrapper `{"jobParameters": …}` of one old example is tolerated.
/// Null means absent. Unknown members are ignored, as the service ignores them.
enum JobParameters {
    private static let limits = JSONLimits(maxBytes: Limits.maxJSONBodyBytes, maxDepth: 16, maxValues: 4096)

    static func parse(_ body: [UInt8]) throws(WireError) -> JobRequest {
        guard !body.isEmpty else { throw .missing("Job Parameters") }
        let document: JSONValue
        do { document = try JSONParser.parse(body, limits: limits) } catch {
            throw WireError(400, "SerializationException", "The request body is not valid JSON: \(error)")
        }
        guard document.objectValue != nil else {
            throw WireError(400, "SerializationException", "The request body must be a JSON object.")
        }
        let members = Members(document["jobParameters"]?.objectValue != nil ? document["jobParameters"] : document)
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
            action: action, tier: try tier(members), description: try description(members), snsTopic: try topic(members)
        )
    }

    private static func archiveRetrieval(_ members: Members) throws(WireError) -> JobRequest.Action {
        guard let archiveID = try members.text("ArchiveId") else { throw .missing("archiveId") }
        guard try members.text("Format") == nil, try members.object("InventoryRetrievalParameters") == nil else {
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

    private static func inventory(_ members: Members) throws(WireError) -> InventoryParameters {
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
        guard let nested = try members.object("InventoryRetrievalParameters") else { return parameters }
        (parameters.startDate, parameters.startDateText) = try date("StartDate", nested)
        (parameters.endDate, parameters.endDateText) = try date("EndDate", nested)
        parameters.limit = try limit(nested)
        parameters.marker = try nested.text("Marker")
        return parameters
    }

    private static func date(_ name: String, _ members: Members) throws(WireError) -> (Timestamp?, String?) {
        guard let text = try members.text(name) else { return (nil, nil) }
        guard let time = Timestamp(iso8601: text) else {
            throw .invalid(
                name, PrintableText.excerpt(text), because: "It must be a date such as 2013-03-20T17:03:43Z.")
        }
        return (time, text)
    }

    /// A number, or a string of digits, as different clients send it.
    private static func limit(_ members: Members) throws(WireError) -> UInt64? {
        guard let value = members.value("Limit") else { return nil }
        let text = value.stringValue ?? value.canonicalString()
        guard let number = ByteRange.decimal(text), number >= 1, number <= UInt64(Int64.max) else {
            throw .invalid("Limit", PrintableText.excerpt(text), because: "It must be a number of at least 1.")
        }
        return number
    }

    private static func tier(_ members: Members) throws(WireError) -> RetrievalTier? {
        guard let text = try members.text("Tier") else { return nil }
        guard let tier = RetrievalTier(rawValue: text) else {
            throw .invalid("Tier", PrintableText.excerpt(text), because: "It must be Expedited, Standard or Bulk.")
        }
        return tier
    }

    private static func description(_ members: Members) throws(WireError) -> String? {
        guard let text = try members.text("Description") else { return nil }
        guard PrintableText.isDescription(text) else {
            throw .invalid("Description", PrintableText.excerpt(text), because: PrintableText.rule)
        }
        return text
    }

    /// `arn:aws:sns:<region>:<account>:<topic>`.
    private static func topic(_ members: Members) throws(WireError) -> String? {
        guard let text = try members.text("SNSTopic") else { return nil }
        let fields = text.split(separator: ":", omittingEmptySubsequences: false)
        let isTopic =
            fields.count >= 6 && fields[0] == "arn" && fields[1].hasPrefix("aws") && fields[2] == "sns"
            && !fields.contains("") && text.utf8.count <= 512 && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        guard isTopic else {
            throw .invalid(
                "SNSTopic", PrintableText.excerpt(text),
                because: "It must have the form arn:aws:sns:<region>:<account>:<topic>.")
        }
        return text
    }
}

/// The members of an object by their documented types; a null is an absent member.
private struct Members {
    private let object: JSONValue?

    init(_ object: JSONValue?) { self.object = object }

    func value(_ name: String) -> JSONValue? {
        // Spelt out: `nil` in place of a JSONValue would mean the JSON null.
        guard let value = object?[name], !value.isNull else { return Optional<JSONValue>.none }
        return value
    }

    func has(_ name: String) -> Bool { value(name) != nil }

    func text(_ name: String) throws(WireError) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.stringValue else { throw .invalid("\(name) must be a string.") }
        return text
    }

    func object(_ name: String) throws(WireError) -> Members? {
        guard let value = value(name) else { return nil }
        guard value.objectValue != nil else { throw .invalid("\(name) must be an object.") }
        return Members(value)
    }
}
