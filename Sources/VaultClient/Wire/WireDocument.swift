// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON

/// A JSON object of the service, read leniently: members we do not know stay in ``value``, absent and null are the
/// same.
///
/// The raw value is kept so that `--output json` prints what the service said, not what we understood.
public struct WireDocument: Sendable, Hashable {
    /// The object as parsed.
    public let value: JSONValue

    /// Wraps an object; anything else has no members.
    public init(_ value: JSONValue) { self.value = value }

    /// Largest document read into memory: a page of any list is far smaller.
    static let maxBytes = 4 << 20

    /// - Throws: ``ClientError`` of kind `service` when `bytes` are not a JSON object.
    init(parsing bytes: [UInt8], what: String) throws(ClientError) {
        let parsed: JSONValue
        do {
            parsed = try JSONParser.parse(bytes, limits: JSONLimits(maxBytes: Self.maxBytes))
        } catch {
            throw ClientError(.service, "The service's \(what) is not valid JSON: \(error)")
        }
        guard case .object = parsed else { throw ClientError(.service, "The service's \(what) is not a JSON object.") }
        value = parsed
    }

    private func member(_ name: String) -> JSONValue? {
        guard case .object(let members) = value else { return nil }
        return members[name]
    }

    /// A string member.
    public func string(_ name: String) -> String? {
        guard case .string(let text)? = member(name) else { return nil }
        return text
    }

    /// A truth member.
    public func bool(_ name: String) -> Bool? {
        guard case .bool(let truth)? = member(name) else { return nil }
        return truth
    }

    /// A non-negative whole number.
    public func count(_ name: String) -> UInt64? {
        guard case .integer(let number)? = member(name), number >= 0 else { return nil }
        return UInt64(number)
    }

    /// The objects of an array member; anything else in it is skipped.
    func documents(_ name: String) -> [WireDocument] {
        guard case .array(let values)? = member(name) else { return [] }
        return values.compactMap { value in
            guard case .object = value else { return nil }
            return WireDocument(value)
        }
    }
}
