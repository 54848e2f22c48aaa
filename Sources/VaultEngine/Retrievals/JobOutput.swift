// SPDX-License-Identifier: Apache-2.0

public import Cryptography
public import NIOCore
public import VaultModel

/// Which bytes of an output a client wants: the forms of RFC 7233's single byte range.
public enum OutputRange: Sendable, Hashable {
    case whole
    case from(UInt64)
    /// Inclusive; an end past the output is clamped.
    case closed(UInt64, UInt64)
    /// The last n bytes.
    case suffix(UInt64)
}

/// An output about to be sent. The first bytes are verified already; every later byte is verified before it is handed out.
public final class JobOutput: Sendable {
    public let contentType: String
    /// Of the whole output.
    public let totalBytes: UInt64
    /// What will be sent; nil only for an empty output.
    public let range: ByteRange?
    /// Whether the client asked for a range (206).
    public let isPartial: Bool
    /// Exactly when both ranges are tree-hash aligned.
    public let treeHash: SHA256Digest?
    /// Archive jobs with a description.
    public let archiveDescription: String?
    private let source: @Sendable (@Sendable (ByteBuffer) async throws -> Void) async throws -> Void

    init(
        contentType: String, totalBytes: UInt64, range: ByteRange?, isPartial: Bool, treeHash: SHA256Digest?,
        archiveDescription: String?, source: @escaping @Sendable (@Sendable (ByteBuffer) async throws -> Void) async throws -> Void
    ) {
        self.contentType = contentType
        self.totalBytes = totalBytes
        self.range = range
        self.isPartial = isPartial
        self.treeHash = treeHash
        self.archiveDescription = archiveDescription
        self.source = source
    }

    /// How many bytes ``stream(to:)`` will hand out.
    public var byteCount: UInt64 { range?.count ?? 0 }

    /// Hands out the bytes in order, in buffers of at most 1 MiB, awaiting `write` for each (backpressure). Call at most once. Throws
    /// `VaultError` with `.integrity` when stored bytes do not verify: the connection must then be cut, since the head is already sent.
    public func stream(to write: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws {
        try await source(write)
    }
}
