// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON
import Cryptography

/// What a state record is about; its preamble's uid and its sealing key follow from it. Docs/Formats/Record-v1.md §2.
public enum RecordType: String, Hashable, Sendable, CaseIterable {
    /// uid: the account's; sealed under the master key.
    case account
    /// uid: the vault's; sealed under the master key.
    case vault
    /// uid: the archive's; sealed under the vault key.
    case upload
    /// uid: the archive's; sealed under the vault key.
    case deletion
}

/// The envelope of a state record: one whole fact with a generation, durable before its catalog commit. The bodies are
/// typed where they are used. Docs/Formats/Record-v1.md.
public struct StateRecord: Hashable, Sendable {
    static let format = "coldvault-record"
    /// The longest encoded record.
    public static let maxBytes = 4 << 20

    public var type: RecordType
    /// The highest verified generation of one record is in force.
    public var generation: UInt64
    /// When this generation was written, in milliseconds since 1970-01-01T00:00:00Z.
    public var createdMilliseconds: Int64
    /// 12 digits.
    public var account: String
    /// 16 bytes; `BlobContext.noVault` for account records.
    public var vaultUID: [UInt8]
    public var body: [String: JSONValue]
    public var unknownMembers: [String: JSONValue]

    public init(
        type: RecordType, generation: UInt64, createdMilliseconds: Int64, account: String, vaultUID: [UInt8],
        body: [String: JSONValue], unknownMembers: [String: JSONValue] = [:]
    ) {
        self.type = type
        self.generation = generation
        self.createdMilliseconds = createdMilliseconds
        self.account = account
        self.vaultUID = vaultUID
        self.body = body
        self.unknownMembers = unknownMembers
    }

    /// The canonical bytes, to be sealed as a blob of kind `record`.
    public func encode() -> [UInt8] {
        var members = DocumentFields.envelope(Self.format, unknownMembers)
        members["type"] = .string(type.rawValue)
        members["generation"] = .unsigned(generation)
        members["created"] = .integer(createdMilliseconds)
        members["account"] = .string(account)
        members["vault"] = .string(Hex.encode(vaultUID))
        members["body"] = .object(body)
        return JSONValue.object(members).canonicalBytes()
    }

    /// Reads an opened record.
    /// - Parameter type: what the record must be: records of one archive share uid and key, so only this tells an
    ///   upload from a deletion.
    public init(decoding bytes: [UInt8], expecting type: RecordType) throws(FormatError) {
        try self.init(decoding: bytes)
        guard self.type == type else { throw .wrongIdentity("record type is \(self.type), wanted \(type)") }
    }

    /// Reads an opened record of any type.
    public init(decoding bytes: [UInt8]) throws(FormatError) {
        var fields = try DocumentFields(decoding: bytes, format: Self.format, maxBytes: Self.maxBytes)
        let name = try fields.string("type", maxBytes: 64)
        guard let type = RecordType(rawValue: name) else { throw .newerVersion("record type \(name)") }
        self.type = type
        generation = try fields.unsigned("generation")
        createdMilliseconds = try fields.integer("created")
        account = try fields.account("account")
        vaultUID = try fields.hex("vault", bytes: 16)
        body = try fields.object("body")
        unknownMembers = fields.rest
    }
}
