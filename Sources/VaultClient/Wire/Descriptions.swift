// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// A vault as DescribeVault and ListVaults tell it.
public struct VaultDescription: Sendable, Hashable {
    /// All members as on the wire.
    public let document: WireDocument
    public let name: String
    public let arn: String
    /// ISO 8601, as the service wrote it.
    public let creationDate: String
    /// Nil before the first inventory.
    public let lastInventoryDate: String?
    public let archives: UInt64?
    public let bytes: UInt64?

    init(_ document: WireDocument) throws(ClientError) {
        guard let name = document.string("VaultName") else {
            throw Missing.member("VaultName", of: "vault description")
        }
        self.document = document
        self.name = name
        arn = document.string("VaultARN") ?? ""
        creationDate = document.string("CreationDate") ?? ""
        lastInventoryDate = document.string("LastInventoryDate")
        archives = document.count("NumberOfArchives")
        bytes = document.count("SizeInBytes")
    }
}

/// A job as DescribeJob and ListJobs tell it.
public struct JobDescription: Sendable, Hashable {
    public enum Status: Sendable, Hashable { case inProgress, succeeded, failed }

    /// All members as on the wire.
    public let document: WireDocument
    public let id: String
    /// `ArchiveRetrieval`, `InventoryRetrieval` or `Select`.
    public let action: String
    public let status: Status
    public let statusMessage: String?
    public let creationDate: String
    public let completionDate: String?
    public let tier: String?
    public let archiveID: String?
    public let archiveBytes: UInt64?
    public let inventoryBytes: UInt64?
    public let note: String?
    /// The retrieved range of the archive; nil for inventories.
    public let retrievalRange: Range<UInt64>?
    /// Tree hash of the retrieved range; nil when that range is not a node of the archive's tree, and for inventories.
    public let treeHash: SHA256Digest?
    public let archiveTreeHash: SHA256Digest?

    /// Bytes of the output, as far as the job tells.
    public var outputBytes: UInt64? {
        retrievalRange.map { $0.upperBound - $0.lowerBound } ?? inventoryBytes ?? archiveBytes
    }

    init(_ document: WireDocument) throws(ClientError) {
        guard let id = document.string("JobId") else { throw Missing.member("JobId", of: "job description") }
        self.document = document
        self.id = id
        action = document.string("Action") ?? ""
        switch document.string("StatusCode") {
        case "Succeeded": status = .succeeded
        case "Failed": status = .failed
        case "InProgress": status = .inProgress
        default: throw Missing.member("StatusCode", of: "job description")
        }
        statusMessage = document.string("StatusMessage")
        creationDate = document.string("CreationDate") ?? ""
        completionDate = document.string("CompletionDate")
        tier = document.string("Tier")
        archiveID = document.string("ArchiveId")
        archiveBytes = document.count("ArchiveSizeInBytes")
        inventoryBytes = document.count("InventorySizeInBytes")
        note = document.string("JobDescription")
        retrievalRange = document.string("RetrievalByteRange").flatMap(ByteRangeText.parse)
        treeHash = document.string("SHA256TreeHash").flatMap { SHA256Digest(hex: $0) }
        archiveTreeHash = document.string("ArchiveSHA256TreeHash").flatMap { SHA256Digest(hex: $0) }
    }
}

/// An open multipart upload as ListMultipartUploads and ListParts tell it.
public struct UploadDescription: Sendable, Hashable {
    public let id: String
    public let partBytes: UInt64
    public let note: String
    public let creationDate: String

    init(_ document: WireDocument) throws(ClientError) {
        guard let id = document.string("MultipartUploadId"), let partBytes = document.count("PartSizeInBytes"),
            partBytes > 0
        else { throw Missing.member("MultipartUploadId or PartSizeInBytes", of: "upload description") }
        self.id = id
        self.partBytes = partBytes
        note = document.string("ArchiveDescription") ?? ""
        creationDate = document.string("CreationDate") ?? ""
    }
}

/// A part the service already holds.
public struct PartDescription: Sendable, Hashable {
    public let range: Range<UInt64>
    public let treeHash: SHA256Digest

    public init(range: Range<UInt64>, treeHash: SHA256Digest) {
        self.range = range
        self.treeHash = treeHash
    }

    init(_ document: WireDocument) throws(ClientError) {
        guard let range = document.string("RangeInBytes").flatMap(ByteRangeText.parse),
            let treeHash = document.string("SHA256TreeHash").flatMap({ SHA256Digest(hex: $0) })
        else { throw Missing.member("RangeInBytes or SHA256TreeHash", of: "part list") }
        self.range = range
        self.treeHash = treeHash
    }
}

/// `first-last` in decimal, both inclusive, as the API writes ranges.
public enum ByteRangeText {
    public static func parse(_ text: String) -> Range<UInt64>? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = UInt64(ends[0]), let last = UInt64(ends[1]), first <= last, last < .max,
            ends.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } })
        else { return nil }
        return first..<(last + 1)
    }

    public static func format(_ range: Range<UInt64>) -> String { "\(range.lowerBound)-\(range.upperBound - 1)" }
}

enum Missing {
    static func member(_ name: String, of what: String) -> ClientError {
        ClientError(.service, "The service's \(what) has no valid \(name).")
    }
}
