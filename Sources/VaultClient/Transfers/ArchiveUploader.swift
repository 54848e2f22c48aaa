// SPDX-License-Identifier: Apache-2.0

public import Cryptography
public import Execution
import Synchronization
import TreeHash

/// What to upload, and how.
public struct UploadOrder: Sendable {
    /// Whether to go on with an interrupted upload.
    public enum Resumption: Sendable, Hashable {
        /// Always begin anew.
        case never
        /// Look for an upload of this file that was interrupted; begin anew when there is none.
        case automatic
        /// This upload and no other.
        case upload(String)
    }

    /// The file to store.
    public var path: String
    /// Where to store it.
    public var vault: String
    /// Kept with the archive: up to 1,024 printable ASCII characters.
    public var description = ""
    /// Nil chooses; a value always makes a multipart upload.
    public var partBytes: UInt64?
    /// Parts on their way at once.
    public var parallel = 4
    /// Files up to this size go in one request.
    public var singleRequestBytes: UInt64 = 64 << 20
    /// Whether to go on with an interrupted upload.
    public var resumption = Resumption.never

    /// An order with every choice at its default.
    public init(path: String, vault: String) {
        self.path = path
        self.vault = vault
    }
}

/// An archive that is stored and whose hash both sides agree on.
public struct UploadResult: Sendable, Hashable {
    /// The only name the archive has.
    public let archiveID: String
    /// Its path at the service.
    public let location: String
    /// Size of the archive.
    public let bytes: UInt64
    /// Tree hash of the file and of the archive.
    public let treeHash: SHA256Digest
    /// Bytes that an interrupted upload had already brought.
    public let keptBytes: UInt64
}

/// Stores a file as one archive.
///
/// Memory: two buffers of 1 MiB per part on its way. Every part is read twice, once to hash it, because the hashes
/// travel in front of the bytes. Invariants: no part counts unless its tree hash was compared with the file; the
/// archive's id is returned only when the service computed the same tree hash from what it received.
public struct ArchiveUploader: Sendable {
    let client: GlacierClient
    let pool: BlockingPool
    let progress: any TransferProgress

    /// Uploads with `client`; file work is done on `pool`.
    public init(client: GlacierClient, pool: BlockingPool, progress: any TransferProgress) {
        self.client = client
        self.pool = pool
        self.progress = progress
    }

    /// - Throws: ``ClientError``; `CancellationError` leaves a multipart upload open to be resumed.
    public func upload(_ order: UploadOrder) async throws -> UploadResult {
        let path = order.path
        let (file, status) = try await pool.run { () throws(ClientError) in
            (try LocalFile.openForReading(path), try LocalFile.status(of: path))
        }
        let partBytes = try PartSizing.partBytes(forFile: status.bytes, wanted: order.partBytes)
        try Self.check(description: order.description)
        defer { progress.end() }
        let search = UploadSearch(client: client, pool: pool, order: order, file: file, status: status)
        if let session = try await search.find() {
            return try await uploadParts(of: session, order, file: file, status: status)
        }
        if order.partBytes == nil, status.bytes <= min(order.singleRequestBytes, PartSizing.largestBytes) {
            return try await uploadAtOnce(order, file: file, status: status)
        }
        let session = try await begin(order, status: status, partBytes: partBytes)
        return try await uploadParts(of: session, order, file: file, status: status)
    }

    private func uploadAtOnce(_ order: UploadOrder, file: LocalFile, status: FileStatus) async throws -> UploadResult {
        progress.begin("Uploading", totalBytes: status.bytes)
        let range = 0..<status.bytes
        let hashes = try await PartHashes.computed(of: file, range: range, on: pool)
        let pieces = FilePieces(file: file, range: range, pool: pool, progress: progress)
        let stored = try await client.uploadArchive(
            vault: order.vault, body: pieces, hashes: hashes, description: order.description)
        return try await finished(stored, treeHash: hashes.tree, status: status, kept: 0, path: order.path)
    }

    private func begin(_ order: UploadOrder, status: FileStatus, partBytes: UInt64) async throws -> UploadSession {
        let id = try await client.initiateUpload(
            vault: order.vault, partBytes: partBytes, description: order.description)
        client.surroundings.remark(
            "Multipart upload \(id) begun; if it is interrupted, run the same command with --resume.")
        let state = UploadState(
            endpoint: client.settings.endpoint.description, accountID: client.settings.accountID, vault: order.vault,
            uploadID: id, partBytes: partBytes, source: status)
        let path = order.path
        do {
            try await pool.run { () throws(ClientError) in
                try LocalFile.replace(UploadState.path(forSource: path), with: state.encoded())
            }
        } catch {
            // Only a convenience is lost: --resume then asks the service for its open uploads.
            client.surroundings.remark("No note could be left next to the source: \(error)")
        }
        return UploadSession(uploadID: id, partBytes: partBytes, present: [:])
    }

    private func uploadParts(
        of session: UploadSession, _ order: UploadOrder, file: LocalFile, status: FileStatus
    ) async throws -> UploadResult {
        let plan = RangePlan(totalBytes: status.bytes, pieceBytes: session.partBytes)
        progress.begin("Uploading", totalBytes: status.bytes)
        let tally = Mutex(UploadTally(digests: Array(repeating: nil, count: plan.count)))
        try await ParallelWork.run(Array(0..<plan.count), width: order.parallel) { [client, pool, progress] index in
            let range = plan[index]
            let hashes = try await PartHashes.computed(of: file, range: range, on: pool)
            let bytes = range.upperBound - range.lowerBound
            let isPresent = session.present[index] == hashes.tree
            if isPresent {
                progress.advance(by: Int64(clamping: bytes))
            } else {
                try await client.uploadPart(
                    vault: order.vault, uploadID: session.uploadID,
                    body: FilePieces(file: file, range: range, pool: pool, progress: progress), hashes: hashes)
            }
            tally.withLock {
                $0.digests[index] = hashes.tree
                if isPresent { $0.keptBytes += bytes }
            }
        }
        let (digests, kept) = tally.withLock { ($0.digests.compactMap { $0 }, $0.keptBytes) }
        let treeHash = TreeHash.combine(digests)
        try await checkUnchanged(order.path, since: status)
        let stored = try await client.completeUpload(
            vault: order.vault, uploadID: session.uploadID, archiveBytes: status.bytes, treeHash: treeHash)
        return try await finished(stored, treeHash: treeHash, status: status, kept: kept, path: order.path)
    }

    private func finished(
        _ stored: StoredArchive, treeHash: SHA256Digest, status: FileStatus, kept: UInt64, path: String
    ) async throws -> UploadResult {
        if let theirs = stored.treeHash, theirs != treeHash {
            throw ClientError(
                .integrity,
                "The service stored archive \(stored.archiveID) with tree hash \(theirs), but the file's is "
                    + "\(treeHash).",
                remedy: "Do not rely on that archive: delete it and upload again.")
        }
        do {
            try await pool.run { () throws(ClientError) in try LocalFile.remove(UploadState.path(forSource: path)) }
        } catch {
            client.surroundings.remark("\(error)")
        }
        return UploadResult(
            archiveID: stored.archiveID, location: stored.location, bytes: status.bytes, treeHash: treeHash,
            keptBytes: kept)
    }

    private func checkUnchanged(_ path: String, since status: FileStatus) async throws {
        guard try await pool.run({ () throws(ClientError) in try LocalFile.status(of: path) }) == status else {
            throw ClientError(
                .local, "'\(path)' changed while it was uploaded, so the upload was not completed.",
                remedy: "When nothing writes to it any more, run the same command with --resume.")
        }
    }

    private static func check(description: String) throws(ClientError) {
        guard description.utf8.count <= 1024, description.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw ClientError(.usage, "A description has at most 1,024 characters of printable ASCII.")
        }
    }
}

private struct UploadTally {
    var digests: [SHA256Digest?]
    var keptBytes: UInt64 = 0
}
