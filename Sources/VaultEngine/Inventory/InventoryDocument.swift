// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import VaultModel

/// One archive as an inventory lists it.
struct InventoryEntry {
    let archiveID: String
    let description: String
    let created: Timestamp
    let size: UInt64
    let treeHash: SHA256Digest
}

/// The two forms of an inventory, written piece by piece so that its length does not matter. Dates have whole seconds, as the
/// inventories that clients know.
struct InventoryDocument {
    let format: InventoryParameters.Format
    private var isFirst = true

    init(format: InventoryParameters.Format) { self.format = format }

    func head(vault: VaultLocation, date: Timestamp) -> [UInt8] {
        switch format {
        case .json:
            Array(
                "{\"VaultARN\":\(quoted(vault.arn)),\"InventoryDate\":\"\(date.iso8601Seconds)\",\"ArchiveList\":[".utf8)
        case .csv: Array("ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash\n".utf8)
        }
    }

    mutating func append(_ entry: InventoryEntry, to out: inout [UInt8]) {
        switch format {
        case .json:
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            out += ("{\"ArchiveId\":\"\(entry.archiveID)\",\"ArchiveDescription\":\(quoted(entry.description)),"
                + "\"CreationDate\":\"\(entry.created.iso8601Seconds)\",\"Size\":\(entry.size),\"SHA256TreeHash\":\"\(entry.treeHash.hex)\"}").utf8
        case .csv:
            out += ("\(entry.archiveID),\(csv(entry.description)),\(entry.created.iso8601Seconds),\(entry.size),\(entry.treeHash.hex)\n").utf8
        }
    }

    func tail() -> [UInt8] { format == .json ? Array("]}".utf8) : [] }

    private func quoted(_ text: String) -> String { JSONValue.string(text).canonicalString() }

    /// Quoted where needed; inside, a quote is written backslash + quote and a backslash is not escaped: the service's own rule, not RFC 4180.
    private func csv(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") }) else { return text }
        var out = "\""
        for character in text.unicodeScalars {
            if character == "\"" { out += "\\" }
            out.unicodeScalars.append(character)
        }
        return out + "\""
    }
}
