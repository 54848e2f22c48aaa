// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography

/// Takes the members of a sealed document one by one; what is left over is kept and written back.
/// Docs/Formats/README.md, "Documents".
struct DocumentFields {
    /// Integers in documents stay below 2^53, so that any JSON tool reads them exactly.
    static let maxInteger: Int64 = (1 << 53) - 1

    private var members: [String: JSONValue]
    private let document: String

    init(_ value: JSONValue, document: String) throws(FormatError) {
        guard case .object(let members) = value else { throw .malformed("\(document) is not a JSON object") }
        self.members = members
        self.document = document
    }

    /// Parses a whole document and checks its envelope: `format`, `version` and `critical`.
    init(decoding bytes: [UInt8], format: String, maxBytes: Int) throws(FormatError) {
        guard bytes.count <= maxBytes else { throw .limitExceeded("\(format) of more than \(maxBytes) bytes") }
        let value: JSONValue
        do throws(JSONParseError) {
            value = try JSONParser.parseCanonical(bytes, limits: JSONLimits(maxBytes: maxBytes))
        } catch {
            throw .malformed("\(format): \(error)")
        }
        try self.init(value, document: format)
        guard try string("format") == format else { throw .malformed("document is not a \(format)") }
        let version = try integer("version")
        guard version == 1 else { throw .newerVersion("\(format) version \(version)") }
        let critical = try array("critical").map { $0.stringValue ?? "" }
        // Version 1 has no optional member that a reader must understand.
        guard critical.isEmpty else { throw .unknownCritical(critical) }
    }

    /// The members every document starts from when it is written.
    static func envelope(_ format: String, _ unknown: [String: JSONValue]) -> [String: JSONValue] {
        var members = unknown
        members["format"] = .string(format)
        members["version"] = 1
        members["critical"] = []
        return members
    }

    /// What nobody took.
    var rest: [String: JSONValue] { members }

    mutating func value(_ name: String) throws(FormatError) -> JSONValue {
        guard let value = members.removeValue(forKey: name) else {
            throw .malformed("\(document) lacks \(name)")
        }
        return value
    }

    mutating func string(_ name: String, maxBytes: Int = .max) throws(FormatError) -> String {
        guard case .string(let text) = try value(name), text.utf8.count <= maxBytes else { throw wrong(name) }
        return text
    }

    mutating func integer(_ name: String, minimum: Int64 = 0, maximum: Int64 = maxInteger) throws(FormatError) -> Int64
    {
        guard case .integer(let value) = try value(name), value >= minimum, value <= maximum else { throw wrong(name) }
        return value
    }

    mutating func unsigned(_ name: String) throws(FormatError) -> UInt64 { UInt64(try integer(name)) }

    mutating func unsigned32(_ name: String) throws(FormatError) -> UInt32 {
        UInt32(try integer(name, maximum: Int64(UInt32.max)))
    }

    mutating func array(_ name: String, maxCount: Int = .max) throws(FormatError) -> [JSONValue] {
        guard case .array(let elements) = try value(name) else { throw wrong(name) }
        guard elements.count <= maxCount else { throw .limitExceeded("\(name) with more than \(maxCount) entries") }
        return elements
    }

    mutating func object(_ name: String) throws(FormatError) -> [String: JSONValue] {
        guard case .object(let members) = try value(name) else { throw wrong(name) }
        return members
    }

    mutating func hex(_ name: String, bytes count: Int) throws(FormatError) -> [UInt8] {
        guard let bytes = Hex.decode(try string(name)), bytes.count == count else { throw wrong(name) }
        return bytes
    }

    mutating func base64(_ name: String, maxBytes: Int) throws(FormatError) -> [UInt8] {
        guard let bytes = Base64.decode(try string(name)), !bytes.isEmpty, bytes.count <= maxBytes else {
            throw wrong(name)
        }
        return bytes
    }

    mutating func digest(_ name: String) throws(FormatError) -> SHA256Digest {
        guard let digest = SHA256Digest(hex: try string(name)) else { throw wrong(name) }
        return digest
    }

    mutating func account(_ name: String) throws(FormatError) -> String {
        let text = try string(name)
        guard BlobName.isAccount(text) else { throw wrong(name) }
        return text
    }

    private func wrong(_ name: String) -> FormatError { .malformed("\(name) of \(document)") }
}

extension JSONValue {
    /// An unsigned number of a document; the caller guarantees that it is below 2^53.
    static func unsigned(_ value: UInt64) -> JSONValue {
        precondition(value <= UInt64(DocumentFields.maxInteger), "integers in documents stay below 2^53")
        return .integer(Int64(value))
    }
}
