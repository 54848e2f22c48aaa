// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON

/// A value of a policy's JSON and the way to it, so that whatever is wrong with it can be said with its place.
struct PolicyReader {
    let value: JSONValue
    let place: String

    /// Values in one list.
    static let maxValues = 200

    func refused(_ reason: String) -> PolicyError { PolicyError(at: place, reason) }

    /// The members of an object, all of which must have one of these names.
    func object(allowing names: Set<String>) throws(PolicyError) -> [String: PolicyReader] {
        let members = try members()
        if let unknown = members.first(where: { !names.contains($0.name) }) {
            throw unknown.reader.refused("'\(excerpt(unknown.name))' is not a known member here")
        }
        return Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.reader) })
    }

    /// The members of an object, in the order of their names' bytes; at least one.
    func members() throws(PolicyError) -> [(name: String, reader: PolicyReader)] {
        guard let members = value.objectValue else { throw refused("must be an object") }
        guard !members.isEmpty else { throw refused("must not be empty") }
        return members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { name, member in
            let step = excerpt(name)
            return (name, PolicyReader(value: member, place: place.isEmpty ? step : "\(place).\(step)"))
        }
    }

    var isEmptyList: Bool { value.arrayValue?.isEmpty == true }

    /// The elements of a list, or the value itself where no list is needed for one.
    func elements(atMost limit: Int = maxValues) throws(PolicyError) -> [PolicyReader] {
        guard let elements = value.arrayValue else { return [self] }
        guard !elements.isEmpty else { throw refused("must not be empty") }
        guard elements.count <= limit else { throw refused("has more than \(limit) elements") }
        return elements.enumerated().map { PolicyReader(value: $1, place: "\(place)[\($0)]") }
    }

    func string() throws(PolicyError) -> String {
        guard let text = value.stringValue else { throw refused("must be a string") }
        return text
    }

    /// A string, or a number or truth value that might as well have stood in quotes.
    func scalarText() throws(PolicyError) -> String {
        switch value {
        case .string(let text): return text
        case .integer(let number): return String(number)
        case .decimal(let text): return text
        case .bool(let flag): return flag ? "true" : "false"
        case .null, .array, .object: throw refused("must be a string, a number or a truth value")
        }
    }

    /// Turns the reason of a template's refusal into an error with this place.
    func placed<T>(_ body: () throws(TemplateError) -> T) throws(PolicyError) -> T {
        do throws(TemplateError) { return try body() } catch { throw refused(error.reason) }
    }
}

/// The beginning of a text from the policy, fit to be quoted in an error: one line, not long.
func excerpt(_ text: String) -> String {
    let scalars = text.unicodeScalars.prefix(64).map { isPrintable($0) ? $0 : "?" }
    return String(String.UnicodeScalarView(scalars)) + (text.unicodeScalars.count > 64 ? "…" : "")
}

/// Whether a scalar can stand in a line of a log without disturbing it.
func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: false
    default: true
    }
}
