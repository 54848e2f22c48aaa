// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// A vault as DescribeVault and ListVaults tell it.
public struct VaultDescription: Sendable, Hashable {
    /// All members as on the wire.
    public let document: WireDocument
    /// The vault's name.
    public let name: String
    /// Empty when the service did not say.
    public let arn: String
    /// ISO 8601, as the service wrote it.
    public let creationDate: String
    /// Nil before the first inventory.
    public let lastInventoryDate: String?
    /// Archives in it, as the service counts them.
    public let archives: UInt64?
    /// Bytes in it, as the service counts them.
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
    /// The states a job can be in.
    public enum Status: Sendable, Hashable { case inProgress, succeeded, failed }

    /// All members as on the wire.
    public let document: WireDocument
    /// The job id.
    public let id: String
    /// `ArchiveRetrieval`, `InventoryRetrieval` or `Select`.
    public let action: String
    /// Where the job is.
    public let status: Status
    /// The service's words about it.
    public let statusMessage: String?
    /// ISO 8601, as the service wrote it.
    public let creationDate: String
    /// Nil until it has finished.
    public let completionDate: String?
    /// `Expedited`, `Standard` or `Bulk`.
    public let tier: String?
    /// Nil for inventories.
    public let archiveID: String?
    /// Size of the whole archive; nil for inventories.
    public let archiveBytes: UInt64?
    /// Size of the inventory; nil until it is made, and for archives.
    public let inventoryBytes: UInt64?
    /// The description given with the order.
    public let note: String?
    /// The retrieved range of the archive; nil for inventories.
    public let retrievalRange: Range<UInt64>?
    /// Tree hash of the retrieved range; nil when that range is not a node of the archive's tree, and for inventories.
    public let treeHash: SHA256Digest?
    /// Tree hash of the whole archive; nil for inventories.
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
    /// The upload id.
    public let id: String
    /// The part size it was begun with.
    public let partBytes: UInt64
    /// The description of the archive to be; empty for none.
    public let note: String
    /// ISO 8601, as the service wrote it.
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
    /// Its place in the archive, in bytes.
    public let range: Range<UInt64>
    /// Tree hash of its bytes.
    public let treeHash: SHA256Digest

    /// A part, as a test makes it.
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
    /// Nil unless `text` is two decimal numbers in order.
    public static func parse(_ text: String) -> Range<UInt64>? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = UInt64(ends[0]), let last = UInt64(ends[1]), first <= last, last < .max,
            ends.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } })
        else { return nil }
        return first..<(last + 1)
    }

    /// The range in that form; it must not be empty.
    public static func format(_ range: Range<UInt64>) -> String { "\(range.lowerBound)-\(range.upperBound - 1)" }
}

enum Missing {
    static func member(_ name: String, of what: String) -> ClientError {
        ClientError(.service, "The service's \(what) has no valid \(name).")
    }
}
