// SPDX-License-Identifier: Apache-2.0

public import Cryptography
public import VaultModel

/// An archive sent in one request.
public struct UploadArchiveRequest: Sendable {
    public let location: VaultLocation
    /// The declared length of the body in bytes; the body must have exactly this length.
    public let contentLength: UInt64
    /// The tree hash that the client computed.
    public let treeHash: SHA256Digest
    /// The linear SHA-256 that the client signed.
    public let linearHash: SHA256Digest
    /// Checked printable ASCII, at most 1,024 characters, leading spaces removed; may be empty.
    public let description: String
    /// For the audit log; nil: nobody who signed a request.
    public let caller: Caller?

    public init(
        location: VaultLocation, contentLength: UInt64, treeHash: SHA256Digest, linearHash: SHA256Digest, description: String,
        caller: Caller? = nil
    ) {
        self.caller = caller
        self.location = location
        self.contentLength = contentLength
        self.treeHash = treeHash
        self.linearHash = linearHash
        self.description = description
    }
}

/// One part of a multipart upload.
public struct UploadPartRequest: Sendable {
    public let location: VaultLocation
    public let uploadID: String
    /// From Content-Range; its length has been checked against Content-Length.
    public let range: ByteRange
    public let treeHash: SHA256Digest
    public let linearHash: SHA256Digest

    public init(location: VaultLocation, uploadID: String, range: ByteRange, treeHash: SHA256Digest, linearHash: SHA256Digest) {
        self.location = location
        self.uploadID = uploadID
        self.range = range
        self.treeHash = treeHash
        self.linearHash = linearHash
    }
}

/// An archive that is durable now.
public struct StoredArchive: Sendable, Hashable {
    public let archiveID: String
    public let treeHash: SHA256Digest
}

/// An open multipart upload as lists show it.
public struct UploadDescription: Sendable, Hashable {
    public let uploadID: String
    /// Empty when none was given.
    public let description: String
    public let partBytes: UInt64
    public let created: Timestamp
}

public struct UploadPage: Sendable {
    public let uploads: [UploadDescription]
    /// The marker of the next page.
    public let next: String?
}

public struct PartDescription: Sendable, Hashable {
    public let range: ByteRange
    public let treeHash: SHA256Digest
}

public struct PartPage: Sendable {
    public let upload: UploadDescription
    public let parts: [PartDescription]
    /// The marker of the next page.
    public let next: String?
}
