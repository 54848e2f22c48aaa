// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON
import Cryptography

/// What a statement says: a name of 1 to 64 characters out of `a-z` and `-`. Others than the known ones can be read and verified, too.
public struct StatementType: Hashable, Sendable, CustomStringConvertible {
    public let name: String

    /// Nil unless the name is one.
    public init?(_ name: String) {
        let isName = name.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "-") }
        guard (1...64).contains(name.utf8.count), isName else { return nil }
        self.name = name
    }

    private init(known name: String) { self.name = name }

    /// Nothing needs a version of a key any more.
    public static let certificate = StatementType(known: "certificate")
    /// What was destroyed.
    public static let receipt = StatementType(known: "receipt")
    /// What a scrub found.
    public static let scrubReport = StatementType(known: "scrub-report")
    /// Where the catalog, its log and the blobs stood.
    public static let checkpoint = StatementType(known: "checkpoint")
    /// What a rehearsed recovery measured.
    public static let drill = StatementType(known: "drill")

    public var description: String { name }
}

/// A document that the service has signed, so that it proves something outside of the service, too. Docs/Formats/Statement-v1.md.
///
/// Law: there is no value whose signature does not fit; whoever reads one still has to compare ``service`` with the public key that
/// `init` printed, or read it with ``init(decoding:signedBy:)``.
public struct SignedStatement: Hashable, Sendable {
    static let format = "coldvault-statement"
    /// The longest encoded statement.
    public static let maxBytes = 4 << 20

    public let type: StatementType
    /// When it was made, in milliseconds since 1970-01-01T00:00:00Z.
    public let createdMilliseconds: Int64
    public let body: [String: JSONValue]
    /// The public key that verifies it: 32 bytes.
    public let service: [UInt8]
    /// 64 bytes.
    public let signature: [UInt8]
    public let unknownMembers: [String: JSONValue]

    /// Makes and signs a statement.
    /// - Parameters:
    ///   - service: the public key that belongs to `sign`; 32 bytes, else a programmer's error that traps.
    ///   - sign: gives the 64 bytes of an Ed25519 signature.
    public init<E: Error>(
        _ type: StatementType, createdMilliseconds: Int64, body: [String: JSONValue], service: [UInt8],
        sign: ([UInt8]) throws(E) -> [UInt8]
    ) throws(E) {
        precondition(service.count == Ed25519.publicKeyBytes, "a public key is 32 bytes")
        let members = Self.members(type, createdMilliseconds, body, service, [:])
        self.type = type
        self.createdMilliseconds = createdMilliseconds
        self.body = body
        self.service = service
        signature = try sign(Self.signedBytes(members))
        unknownMembers = [:]
    }

    /// The canonical bytes.
    public func encode() -> [UInt8] {
        var members = Self.members(type, createdMilliseconds, body, service, unknownMembers)
        members["signature"] = .string(Base64.encode(signature))
        return JSONValue.object(members).canonicalBytes()
    }

    /// Reads a statement and verifies it under the key that it names itself.
    public init(decoding bytes: [UInt8]) throws(FormatError) {
        var fields = try DocumentFields(decoding: bytes, format: Self.format, maxBytes: Self.maxBytes)
        guard let type = StatementType(try fields.string("type", maxBytes: 64)) else {
            throw .malformed("type of \(Self.format)")
        }
        self.type = type
        createdMilliseconds = try fields.integer("created")
        body = try fields.object("body")
        service = try fields.hex("service", bytes: Ed25519.publicKeyBytes)
        signature = try fields.base64("signature", maxBytes: Ed25519.signatureBytes)
        unknownMembers = fields.rest
        let members = Self.members(type, createdMilliseconds, body, service, unknownMembers)
        guard Ed25519.isValid(signature, of: Self.signedBytes(members), publicKey: service) else {
            throw .wrongSignature
        }
    }

    /// Reads a statement of one known service; another's is `wrongIdentity`, however well it is signed.
    public init(decoding bytes: [UInt8], signedBy publicKey: [UInt8]) throws(FormatError) {
        try self.init(decoding: bytes)
        guard service == publicKey else {
            throw .wrongIdentity("the statement is signed by \(Hex.encode(service))")
        }
    }

    private static func members(
        _ type: StatementType, _ created: Int64, _ body: [String: JSONValue], _ service: [UInt8],
        _ unknown: [String: JSONValue]
    ) -> [String: JSONValue] {
        var members = DocumentFields.envelope(format, unknown)
        members["type"] = .string(type.name)
        members["created"] = .integer(created)
        members["body"] = .object(body)
        members["service"] = .string(Hex.encode(service))
        return members
    }

    /// Docs/Formats/Statement-v1.md §2: the label keeps a statement from being taken for anything else that the key might sign.
    private static func signedBytes(_ members: [String: JSONValue]) -> [UInt8] {
        Array("coldvault/statement/v1".utf8) + [0] + JSONValue.object(members).canonicalBytes()
    }
}
