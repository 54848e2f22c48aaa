// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultModel

/// The members of a request's JSON object by their documented types.
///
/// Null means absent. Unknown members are ignored, as the service ignores them.
struct RequestMembers: Sendable {
    private static let limits = JSONLimits(maxBytes: Limits.maxJSONBodyBytes, maxDepth: 16, maxValues: 4096)

    let object: JSONValue

    init(_ object: JSONValue) { self.object = object }

    /// Reads a request's whole body.
    /// - Parameter subject: what a request without a body lacks.
    /// - Throws: `MissingParameterValueException`, or `SerializationException` when it is no JSON object.
    init(parsing body: [UInt8], missing subject: String) throws(WireError) {
        guard !body.isEmpty else { throw .missing(subject) }
        let document: JSONValue
        do { document = try JSONParser.parse(body, limits: Self.limits) } catch {
            throw WireError(400, "SerializationException", "The request body is not valid JSON: \(error)")
        }
        guard document.objectValue != nil else {
            throw WireError(400, "SerializationException", "The request body must be a JSON object.")
        }
        self.init(document)
    }

    func value(_ name: String) -> JSONValue? {
        // Spelt out: `nil` in place of a JSONValue would mean the JSON null.
        guard let value = object[name], !value.isNull else { return Optional<JSONValue>.none }
        return value
    }

    func has(_ name: String) -> Bool { value(name) != nil }

    func text(_ name: String) throws(WireError) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.stringValue else { throw .invalid("\(name) must be a string.") }
        return text
    }

    func members(_ name: String) throws(WireError) -> RequestMembers? {
        guard let value = value(name) else { return nil }
        guard value.objectValue != nil else { throw .invalid("\(name) must be an object.") }
        return RequestMembers(value)
    }

    /// Strings, none of them null.
    func texts(_ name: String) throws(WireError) -> [String]? {
        guard let value = value(name) else { return nil }
        guard let elements = value.arrayValue else { throw .invalid("\(name) must be an array.") }
        var texts: [String] = []
        for element in elements {
            guard let text = element.stringValue else { throw .invalid("\(name) must hold strings.") }
            texts.append(text)
        }
        return texts
    }

    /// A whole number of at least 1, sent as a number or as a string of digits: clients differ.
    func count(_ name: String) throws(WireError) -> UInt64? {
        guard let value = value(name) else { return nil }
        let text = value.stringValue ?? value.canonicalString()
        guard let number = ByteRange.decimal(text), number >= 1, number <= UInt64(Int64.max) else {
            throw .invalid(name, PrintableText.excerpt(text), because: "It must be a number of at least 1.")
        }
        return number
    }

    /// `arn:aws:sns:<region>:<account>:<name>`.
    func topic(_ name: String) throws(WireError) -> TopicARN? {
        guard let text = try text(name) else { return nil }
        guard let topic = TopicARN(text) else {
            throw .invalid(
                name, PrintableText.excerpt(text),
                because: "It must have the form arn:aws:sns:<region>:<account>:<name>.")
        }
        return topic
    }
}
