// SPDX-License-Identifier: Apache-2.0

/// One archive in an inventory.
public struct InventoryEntry: Sendable, Hashable {
    /// The only name the archive has.
    public let archiveID: String
    /// Empty when none was given.
    public let description: String
    /// ISO 8601, as the service wrote it.
    public let creationDate: String
    /// Size of the archive.
    public let bytes: UInt64
    /// 64 hex digits, as the service wrote them.
    public let treeHash: String

    init(_ document: WireDocument) throws(ClientError) {
        guard let id = document.string("ArchiveId") else { throw Missing.member("ArchiveId", of: "inventory") }
        archiveID = id
        description = document.string("ArchiveDescription") ?? ""
        creationDate = document.string("CreationDate") ?? ""
        bytes = document.count("Size") ?? 0
        treeHash = document.string("SHA256TreeHash") ?? ""
    }
}

/// Cuts a JSON inventory into its archives as it arrives, because an inventory of a million archives need not fit into
/// memory.
///
/// The document is an object whose `ArchiveList` is the only array of objects (glacier API, GetJobOutput). Inside it,
/// each object is collected and parsed by itself; everything else is kept as the frame and parsed at the end. Memory:
/// one archive and the frame.
public struct InventoryReader: Sendable {
    static let maxEntryBytes = 64 << 10
    static let maxFrameBytes = 64 << 10

    private var frame: [UInt8] = []
    private var entry: [UInt8] = []
    private var depth = 0
    private var isInString = false
    private var isEscaped = false

    /// A reader before the first byte.
    public init() {}

    /// Takes the next bytes.
    ///
    /// - Returns: the archives that became complete.
    /// - Throws: ``ClientError`` of kind `service` when this cannot be an inventory.
    public mutating func append(_ bytes: some Sequence<UInt8>) throws(ClientError) -> [InventoryEntry] {
        var entries: [InventoryEntry] = []
        for byte in bytes {
            // Depth 0: outside; 1: the document; 2: the list; 3 and more: an archive.
            let before = depth
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
            } else {
                switch byte {
                case UInt8(ascii: "\""): isInString = true
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                default: break
                }
            }
            guard (0...8).contains(depth) else {
                throw ClientError(.service, "The service's inventory is not valid JSON.")
            }
            if max(before, depth) >= 3 {
                guard entry.count < Self.maxEntryBytes else {
                    throw ClientError(.service, "An archive in the inventory is too long.")
                }
                entry.append(byte)
                if depth == 2 {
                    entries.append(try InventoryEntry(try WireDocument(parsing: entry, what: "inventory")))
                    entry.removeAll(keepingCapacity: true)
                }
            } else if before == 2, depth == 2 {
                // Commas and blanks between archives.
                continue
            } else {
                guard frame.count < Self.maxFrameBytes else {
                    throw ClientError(.service, "The service's inventory has no list of archives.")
                }
                frame.append(byte)
            }
        }
        return entries
    }

    /// The end: everything around the archives, with an empty list in their place.
    public consuming func finish() throws(ClientError) -> WireDocument {
        let document = try WireDocument(parsing: frame, what: "inventory")
        guard depth == 0, !isInString, document.string("VaultARN") != nil else {
            throw ClientError(.service, "The service's inventory is cut off.")
        }
        return document
    }
}
