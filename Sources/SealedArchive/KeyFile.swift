// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON
public import Cryptography

/// One version of the master, identifier, signing, audit or recovery key, wrapped in two slots or more; a file of `keys/`.
/// Docs/Formats/Keyring-v1.md §2.
public struct KeyFile: Hashable, Sendable {
    /// Which key a file holds.
    public enum Purpose: String, Hashable, Sendable, CaseIterable {
        /// A version of the key that wraps all vault keys.
        case master
        /// The key that authenticates identifiers.
        case identifier
        /// The seed of the Ed25519 key that signs statements.
        case signing
        /// The key of the audit log.
        case audit
        /// The recovery key itself: whoever holds the operating root key must be able to add a recovery slot to the
        /// next master version without asking for the printed text.
        case recovery
    }

    static let format = "coldvault-key"
    /// The longest key file.
    public static let maxBytes = 64 << 10
    /// One slot could be lost with its root key; sixteen are more than anyone rotates through at once.
    public static let slotCounts = 2...16

    public var purpose: Purpose
    /// From 1.
    public var keyVersion: UInt32
    /// When the key was made, in milliseconds since 1970-01-01T00:00:00Z.
    public var createdMilliseconds: Int64
    /// Counts rewrites of the file (slots added or removed).
    public var generation: UInt64
    public var slots: [KeySlot]
    public var unknownMembers: [String: JSONValue]

    public init(
        purpose: Purpose, keyVersion: UInt32, createdMilliseconds: Int64, generation: UInt64, slots: [KeySlot],
        unknownMembers: [String: JSONValue] = [:]
    ) {
        self.purpose = purpose
        self.keyVersion = keyVersion
        self.createdMilliseconds = createdMilliseconds
        self.generation = generation
        self.slots = slots
        self.unknownMembers = unknownMembers
    }

    /// `master-000001.json`; the name inside `keys/`.
    public var fileName: String { Self.fileName(purpose: purpose, keyVersion: keyVersion) }

    /// The name inside `keys/`.
    public static func fileName(purpose: Purpose, keyVersion: UInt32) -> String {
        "\(purpose.rawValue)-\(BlobName.padded(UInt64(keyVersion), digits: 6)).json"
    }

    /// What the file's slots are sealed in.
    public var wrapContext: WrapContext {
        switch purpose {
        case .master: .masterKey(version: keyVersion)
        case .identifier: .identifierKey(version: keyVersion)
        case .signing: .signingKey(version: keyVersion)
        case .audit: .auditKey(version: keyVersion)
        case .recovery: .recoveryKey(version: keyVersion)
        }
    }

    /// Unwraps the key with a root key for which the file has a slot.
    public func key(rootKey: SecretKey) throws(FormatError) -> SecretKey {
        let reference = KeySlot.reference(of: rootKey)
        guard let slot = slots.first(where: { $0.reference == reference }) else {
            throw .wrongIdentity("no slot of \(fileName) is for this root key")
        }
        return try sealing { () throws(SealError) in
            try KeyWrap.unwrap(slot.wrapped, under: rootKey, context: wrapContext)
        }
    }

    /// The file's bytes. Fewer or more slots than `slotCounts` is a programmer's error and traps.
    public func encode() -> [UInt8] {
        precondition(Self.slotCounts.contains(slots.count), "a key file has 2 to 16 slots")
        var members = DocumentFields.envelope(Self.format, unknownMembers)
        members["purpose"] = .string(purpose.rawValue)
        members["keyVersion"] = .unsigned(UInt64(keyVersion))
        members["created"] = .integer(createdMilliseconds)
        members["generation"] = .unsigned(generation)
        members["slots"] = .array(slots.map { $0.json })
        return JSONValue.object(members).canonicalBytes()
    }

    /// Reads a file of `keys/`.
    public init(decoding bytes: [UInt8]) throws(FormatError) {
        var fields = try DocumentFields(decoding: bytes, format: Self.format, maxBytes: Self.maxBytes)
        let name = try fields.string("purpose", maxBytes: 64)
        guard let purpose = Purpose(rawValue: name) else { throw .newerVersion("key purpose \(name)") }
        self.purpose = purpose
        keyVersion = try fields.unsigned32("keyVersion")
        createdMilliseconds = try fields.integer("created")
        generation = try fields.unsigned("generation")
        var slots: [KeySlot] = []
        for element in try fields.array("slots", maxCount: Self.slotCounts.upperBound) {
            slots.append(try KeySlot(element))
        }
        guard Self.slotCounts.contains(slots.count), keyVersion > 0 else {
            throw .malformed("key file with \(slots.count) slots")
        }
        self.slots = slots
        unknownMembers = fields.rest
    }
}

/// One wrap of a key under one root key.
public struct KeySlot: Hashable, Sendable {
    /// The root key is a file of 32 bytes.
    public static let fileCustody = "file"
    /// The root key is the recovery key that was printed once.
    public static let recoveryCustody = "recovery"
    static let referenceBytes = 16

    /// Who holds the root key. Custodies that this build does not know are kept, not refused.
    public var custody: String
    /// 16 bytes that tell root keys apart and say nothing about them.
    public var reference: [UInt8]
    public var wrapped: [UInt8]
    public var unknownMembers: [String: JSONValue]

    public init(
        custody: String, reference: [UInt8], wrapped: [UInt8], unknownMembers: [String: JSONValue] = [:]
    ) {
        precondition(reference.count == Self.referenceBytes, "a root key reference is 16 bytes")
        self.custody = custody
        self.reference = reference
        self.wrapped = wrapped
        self.unknownMembers = unknownMembers
    }

    /// Wraps a key for a slot.
    public init(
        custody: String, rootKey: SecretKey, key: SecretKey, context: WrapContext, random: some RandomByteSource
    ) throws(SealError) {
        self.init(
            custody: custody, reference: Self.reference(of: rootKey),
            wrapped: try KeyWrap.wrap(key, under: rootKey, context: context, random: random))
    }

    /// The reference of a root key. Docs/Formats/Keyring-v1.md §3.
    public static func reference(of rootKey: SecretKey) -> [UInt8] {
        HKDFSHA512.expand(
            prk: rootKey, info: Array("coldvault/root-key-reference/v1".utf8), count: referenceBytes)
    }

    init(_ value: JSONValue) throws(FormatError) {
        var fields = try DocumentFields(value, document: "key slot")
        custody = try fields.string("custody", maxBytes: 64)
        reference = try fields.hex("reference", bytes: Self.referenceBytes)
        wrapped = try fields.base64("wrapped", maxBytes: WrappedKey.maxWrappedBytes)
        unknownMembers = fields.rest
    }

    var json: JSONValue {
        var members = unknownMembers
        members["custody"] = .string(custody)
        members["reference"] = .string(Hex.encode(reference))
        members["wrapped"] = .string(Base64.encode(wrapped))
        return .object(members)
    }
}
