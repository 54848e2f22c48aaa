// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import Storage
import VaultModel

/// What a sealed catalog column holds: a small JSON document that only the engine reads.
protocol ColumnDocument {
    /// The table in the seal's context: a column moved to another table or row does not open.
    static var table: String { get }
    var json: JSONValue { get }
    init?(json: JSONValue)
}

struct ArchiveColumn: ColumnDocument, Equatable {
    static let table = "archives"
    var description: String
    var treeHash: SHA256Digest

    var json: JSONValue { ["description": .string(description), "treeHash": .string(treeHash.hex)] }

    init(description: String, treeHash: SHA256Digest) {
        self.description = description
        self.treeHash = treeHash
    }

    init?(json: JSONValue) {
        guard let description = json["description"]?.stringValue, let treeHash = json.digest("treeHash") else { return nil }
        self.init(description: description, treeHash: treeHash)
    }
}

struct UploadColumn: ColumnDocument, Equatable {
    static let table = "uploads"
    var description: String

    var json: JSONValue { ["description": .string(description)] }

    init(description: String) { self.description = description }

    init?(json: JSONValue) {
        guard let description = json["description"]?.stringValue else { return nil }
        self.init(description: description)
    }
}

struct PartColumn: ColumnDocument, Equatable {
    static let table = "parts"
    var treeHash: SHA256Digest
    var ciphertextSHA256: SHA256Digest
    var sealHeader: SealHeader

    var json: JSONValue {
        [
            "ciphertextSHA256": .string(ciphertextSHA256.hex), "sealHeader": .string(sealHeader.hex),
            "treeHash": .string(treeHash.hex),
        ]
    }

    init(treeHash: SHA256Digest, ciphertextSHA256: SHA256Digest, sealHeader: SealHeader) {
        self.treeHash = treeHash
        self.ciphertextSHA256 = ciphertextSHA256
        self.sealHeader = sealHeader
    }

    init?(json: JSONValue) {
        guard let treeHash = json.digest("treeHash"), let ciphertext = json.digest("ciphertextSHA256"),
            let headerText = json["sealHeader"]?.stringValue, let header = SealHeader(hex: headerText)
        else { return nil }
        self.init(treeHash: treeHash, ciphertextSHA256: ciphertext, sealHeader: header)
    }
}

/// A staged object: its own key, wrapped, and the header that pins its seal.
struct StagedColumn: ColumnDocument, Equatable {
    static let table = "staged"
    var wrappedKey: [UInt8]
    var sealHeader: SealHeader
    var length: UInt64

    var json: JSONValue {
        ["key": .string(Base64URL.encode(wrappedKey)), "length": .integer(Int64(length)), "sealHeader": .string(sealHeader.hex)]
    }

    init(wrappedKey: [UInt8], sealHeader: SealHeader, length: UInt64) {
        self.wrappedKey = wrappedKey
        self.sealHeader = sealHeader
        self.length = length
    }

    init?(json: JSONValue) {
        guard let keyText = json["key"]?.stringValue, let key = Base64URL.decode(keyText),
            let headerText = json["sealHeader"]?.stringValue, let header = SealHeader(hex: headerText),
            let length = json["length"]?.integerValue, length >= 0
        else { return nil }
        self.init(wrappedKey: key, sealHeader: header, length: UInt64(length))
    }
}

extension JSONValue {
    func digest(_ name: String) -> SHA256Digest? { self[name]?.stringValue.flatMap { SHA256Digest(hex: $0) } }

    static func optional(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
}

extension Keyring {
    /// Seals a column of the row `uid` of a vault under its newest key.
    func seal<Document: ColumnDocument>(
        _ document: Document, uid: [UInt8], of vault: VaultRow, random: any RandomByteSource
    ) throws(VaultError) -> SealedColumnValue {
        let (version, key) = try currentKey(of: vault)
        return try seal(document, uid: uid, version: version, key: key, random: random)
    }

    func seal<Document: ColumnDocument>(
        _ document: Document, uid: [UInt8], version: UInt32, key: SecretKey, random: any RandomByteSource
    ) throws(VaultError) -> SealedColumnValue {
        do {
            let bytes = try SealedColumn.seal(
                document.json.canonicalBytes(), table: Document.table, rowUID: uid, key: key, random: random)
            return SealedColumnValue(keyVersion: version, bytes: bytes)
        } catch {
            throw .wrapping(error, "sealing a catalog column")
        }
    }

    func open<Document: ColumnDocument>(
        _ column: SealedColumnValue, as type: Document.Type, uid: [UInt8], of vault: VaultRow
    ) throws(VaultError) -> Document {
        let key = try key(of: vault, version: column.keyVersion)
        do {
            let bytes = try SealedColumn.open(column.bytes, table: Document.table, rowUID: uid, key: key)
            guard let document = Document(json: try JSONParser.parse(bytes)) else {
                throw VaultError(.integrity, "A column of table \(Document.table) does not hold what it should.")
            }
            return document
        } catch {
            throw .wrapping(error, "reading a sealed column of table \(Document.table)")
        }
    }
}
