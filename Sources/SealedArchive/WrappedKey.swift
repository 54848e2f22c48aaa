// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON
import Cryptography

/// One wrap of an archive's data key, in a manifest or an upload record. Docs/Formats/Manifest-v1.md §3.
public struct WrappedKey: Hashable, Sendable {
    /// The most opaque bytes of one wrap.
    public static let maxWrappedBytes = 8 << 10
    /// The most wraps of one key.
    public static let maxPerList = 16
    /// The kind that the service opens itself: `wrapped` is a `KeyWrap` under a version of the vault key.
    public static let serviceKind = "service"

    public var kind: String
    /// For `service`: the vault uid in hexadecimal.
    public var keyID: String
    /// For `service`: the version of the vault key.
    public var version: UInt32
    public var parameters: [String: JSONValue]
    public var wrapped: [UInt8]
    public var unknownMembers: [String: JSONValue]

    public init(
        kind: String = serviceKind, keyID: String, version: UInt32, parameters: [String: JSONValue] = [:],
        wrapped: [UInt8], unknownMembers: [String: JSONValue] = [:]
    ) {
        self.kind = kind
        self.keyID = keyID
        self.version = version
        self.parameters = parameters
        self.wrapped = wrapped
        self.unknownMembers = unknownMembers
    }

    /// Reads one entry. Kinds that this build does not know are kept, not refused.
    public init(_ value: JSONValue) throws(FormatError) {
        var fields = try DocumentFields(value, document: "key wrap")
        kind = try fields.string("kind", maxBytes: 64)
        keyID = try fields.string("keyId", maxBytes: 1024)
        version = try fields.unsigned32("version")
        parameters = try fields.object("parameters")
        wrapped = try fields.base64("wrapped", maxBytes: Self.maxWrappedBytes)
        unknownMembers = fields.rest
    }

    /// Reads a list of entries.
    public static func list(_ values: [JSONValue]) throws(FormatError) -> [WrappedKey] {
        guard values.count <= maxPerList else { throw .limitExceeded("more than \(maxPerList) wraps of one key") }
        var keys: [WrappedKey] = []
        for value in values { keys.append(try WrappedKey(value)) }
        return keys
    }

    /// The entry as it is written.
    public var json: JSONValue {
        var members = unknownMembers
        members["kind"] = .string(kind)
        members["keyId"] = .string(keyID)
        members["version"] = .unsigned(UInt64(version))
        members["parameters"] = .object(parameters)
        members["wrapped"] = .string(Base64.encode(wrapped))
        return .object(members)
    }
}
