// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON
public import Cryptography

/// What an archive is: its identity, its parts in order, its hashes and the wraps of its data key. One manifest and the
/// part blobs are enough to get the archive back. Docs/Formats/Manifest-v1.md.
///
/// Members that this build does not know are kept and written back, at every level.
public struct Manifest: Hashable, Sendable {
    static let format = "coldvault-manifest"
    /// The longest encoded manifest.
    public static let maxBytes = SealedBlob.maxPlaintextBytes
    /// The most parts an archive has.
    public static let maxParts = 10_000

    /// 12 digits.
    public var account: String
    /// 16 bytes.
    public var vaultUID: [UInt8]
    /// 16 bytes.
    public var archiveUID: [UInt8]
    /// The archive's public identifier, 138 characters.
    public var archiveID: String
    /// Counts rewrites; the highest verified one is in force.
    public var generation: UInt64
    /// Milliseconds since 1970-01-01T00:00:00Z.
    public var createdMilliseconds: Int64
    public var description: String
    /// Bytes of the archive.
    public var size: UInt64
    public var treeHash: SHA256Digest
    /// In the archive's order; one at least.
    public var parts: [ManifestPart]
    /// The data key, wrapped once or more often; one at least.
    public var keys: [WrappedKey]
    public var unknownMembers: [String: JSONValue]

    public init(
        account: String, vaultUID: [UInt8], archiveUID: [UInt8], archiveID: String, generation: UInt64,
        createdMilliseconds: Int64, description: String, size: UInt64, treeHash: SHA256Digest, parts: [ManifestPart],
        keys: [WrappedKey], unknownMembers: [String: JSONValue] = [:]
    ) {
        self.account = account
        self.vaultUID = vaultUID
        self.archiveUID = archiveUID
        self.archiveID = archiveID
        self.generation = generation
        self.createdMilliseconds = createdMilliseconds
        self.description = description
        self.size = size
        self.treeHash = treeHash
        self.parts = parts
        self.keys = keys
        self.unknownMembers = unknownMembers
    }

    /// The canonical bytes, to be sealed as a blob of kind `manifest`.
    public func encode() -> [UInt8] {
        var members = DocumentFields.envelope(Self.format, unknownMembers)
        // Unknown members of `archive` are kept inside it.
        var archive = unknownMembers["archive"]?.objectValue ?? [:]
        archive["uid"] = .string(Hex.encode(archiveUID))
        archive["id"] = .string(archiveID)
        members["archive"] = .object(archive)
        members["account"] = .string(account)
        members["vault"] = .string(Hex.encode(vaultUID))
        members["generation"] = .unsigned(generation)
        members["created"] = .integer(createdMilliseconds)
        members["description"] = .string(description)
        members["size"] = .unsigned(size)
        members["treeHash"] = .string(treeHash.hex)
        members["parts"] = .array(parts.map { $0.json })
        members["keys"] = .array(keys.map { $0.json })
        return JSONValue.object(members).canonicalBytes()
    }

    /// Reads an opened manifest. Total: a manifest or a typed error, for any input.
    public init(decoding bytes: [UInt8]) throws(FormatError) {
        var fields = try DocumentFields(decoding: bytes, format: Self.format, maxBytes: Self.maxBytes)
        var archive = try DocumentFields(try fields.value("archive"), document: "archive")
        archiveUID = try archive.hex("uid", bytes: 16)
        archiveID = try archive.string("id", maxBytes: 1024)
        account = try fields.account("account")
        vaultUID = try fields.hex("vault", bytes: 16)
        generation = try fields.unsigned("generation")
        createdMilliseconds = try fields.integer("created")
        description = try fields.string("description", maxBytes: 64 << 10)
        size = try fields.unsigned("size")
        treeHash = try fields.digest("treeHash")
        var parts: [ManifestPart] = []
        for element in try fields.array("parts", maxCount: Self.maxParts) { parts.append(try ManifestPart(element)) }
        self.parts = parts
        keys = try WrappedKey.list(try fields.array("keys", maxCount: WrappedKey.maxPerList))
        unknownMembers = fields.rest
        if !archive.rest.isEmpty { unknownMembers["archive"] = .object(archive.rest) }
        guard !parts.isEmpty, !keys.isEmpty else { throw .malformed("manifest without parts or keys") }
        var total: UInt64 = 0
        for part in parts {
            // At most 10,000 lengths below 2^53: the sum cannot overflow.
            total += part.length
        }
        guard total == size else { throw .malformed("part lengths do not add up to the archive's size") }
    }
}

/// One part as its archive's manifest describes it.
public struct ManifestPart: Hashable, Sendable {
    /// The blob's logical name.
    public var blob: String
    /// Bytes of the content.
    public var length: UInt64
    public var treeHash: SHA256Digest
    /// Bytes of the whole blob.
    public var ciphertextBytes: UInt64
    /// SHA-256 of the whole blob.
    public var ciphertextSHA256: SHA256Digest
    /// The index and write number in the blob's preamble.
    public var index: UInt32
    public var number: UInt64
    public var sealHeader: SealHeader
    public var unknownMembers: [String: JSONValue]

    public init(
        blob: String, length: UInt64, treeHash: SHA256Digest, ciphertextBytes: UInt64, ciphertextSHA256: SHA256Digest,
        index: UInt32, number: UInt64, sealHeader: SealHeader, unknownMembers: [String: JSONValue] = [:]
    ) {
        self.blob = blob
        self.length = length
        self.treeHash = treeHash
        self.ciphertextBytes = ciphertextBytes
        self.ciphertextSHA256 = ciphertextSHA256
        self.index = index
        self.number = number
        self.sealHeader = sealHeader
        self.unknownMembers = unknownMembers
    }

    /// The entry of a part that a sealer has just finished.
    public init(blob: String, index: UInt32, number: UInt64, summary: SealedPartSummary) {
        self.init(
            blob: blob, length: summary.length, treeHash: summary.treeHash, ciphertextBytes: summary.sealedBytes,
            ciphertextSHA256: summary.ciphertextSHA256, index: index, number: number, sealHeader: summary.sealHeader)
    }

    init(_ value: JSONValue) throws(FormatError) {
        var fields = try DocumentFields(value, document: "part")
        blob = try fields.string("blob", maxBytes: 1024)
        length = try fields.unsigned("length")
        treeHash = try fields.digest("treeHash")
        ciphertextBytes = try fields.unsigned("ciphertextBytes")
        ciphertextSHA256 = try fields.digest("ciphertextSHA256")
        index = try fields.unsigned32("index")
        number = try fields.unsigned("number")
        guard let header = SealHeader(bytes: try fields.hex("sealHeader", bytes: Seal.headerBytes)) else {
            throw .malformed("sealHeader of part")
        }
        sealHeader = header
        unknownMembers = fields.rest
    }

    var json: JSONValue {
        var members = unknownMembers
        members["blob"] = .string(blob)
        members["length"] = .unsigned(length)
        members["treeHash"] = .string(treeHash.hex)
        members["ciphertextBytes"] = .unsigned(ciphertextBytes)
        members["ciphertextSHA256"] = .string(ciphertextSHA256.hex)
        members["index"] = .unsigned(UInt64(index))
        members["number"] = .unsigned(number)
        members["sealHeader"] = .string(sealHeader.hex)
        return .object(members)
    }
}
