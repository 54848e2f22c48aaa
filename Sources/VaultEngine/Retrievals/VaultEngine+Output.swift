// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import NIOCore
import SealedArchive
import Storage
import TreeHash
public import VaultModel

extension VaultEngine {
    /// Two frames being sent, two read ahead, their ciphertext, and the opener's scratch.
    private static let outputBytes = 8 << 20

    /// Opens a finished job's output for sending. Returns only after the first bytes have been verified; so what fails early gets a
    /// proper error answer.
    public func openOutput(
        _ location: VaultLocation, jobID: String, range wanted: OutputRange
    ) async throws(VaultError) -> JobOutput {
        try await vaultErrors("reading a job's output") {
            let vault = try await activeVault(location)
            let job = try await findJob(jobID, in: vault)
            guard job.state == .succeeded, let total = job.outputBytes else { throw Messages.jobNotReady(jobID) }
            let column = try column(of: job, in: vault)
            let (range, isPartial) = try Self.resolve(wanted, total: total)
            let pinned = try await pinnedArchive(of: job)
            let memory = try await requestMemory(
                Self.outputBytes + (pinned.map { ArchiveReader.manifestBytes(of: $0, in: self) } ?? 0),
                for: location.account)
            let content = try await content(of: job, pinned: pinned, in: vault)
            var treeHash: SHA256Digest?
            if job.action == .archiveRetrieval, let range, let retrieved = job.range, let size = job.archiveSize,
                retrieved.isTreeHashAligned(size: size), range.isTreeHashAligned(size: total)
            {
                treeHash = try await content.treeHash(range)
            }
            return JobOutput(
                contentType: Self.contentType(of: job, column), totalBytes: total, range: range, isPartial: isPartial,
                treeHash: treeHash, archiveDescription: job.action == .archiveRetrieval ? column.archiveDescription : nil,
                source: try await Self.source(content, range: range, memory: memory))
        }
    }

    private static func contentType(of job: JobRow, _ column: JobColumn) -> String {
        switch (job.action, column.inventory?.format) {
        case (.archiveRetrieval, _): "application/octet-stream"
        case (.inventoryRetrieval, .csv): "text/csv"
        case (.inventoryRetrieval, _): "application/json"
        }
    }

    /// What of `total` bytes is meant: ends past the last byte are clamped; a start past it cannot be served.
    static func resolve(_ wanted: OutputRange, total: UInt64) throws(VaultError) -> (ByteRange?, isPartial: Bool) {
        func unsatisfiable(_ text: String) -> VaultError {
            VaultError(.invalidParameter, "Invalid Range: \(text). The output has \(total) bytes.")
        }
        switch wanted {
        case .whole: return (ByteRange.whole(size: total), false)
        case .from(let first):
            guard first < total, let range = ByteRange(first: first, last: total - 1) else { throw unsatisfiable("bytes=\(first)-") }
            return (range, true)
        case .closed(let first, let last):
            guard first < total, let range = ByteRange(first: first, last: min(last, total - 1)) else {
                throw unsatisfiable("bytes=\(first)-\(last)")
            }
            return (range, true)
        case .suffix(let count):
            guard count > 0, total > 0, let range = ByteRange(first: total - min(count, total), last: total - 1) else {
                throw unsatisfiable("bytes=-\(count)")
            }
            return (range, true)
        }
    }

    /// An output's bytes, wherever they are kept.
    private struct OutputContent: Sendable {
        /// Verified frames of a range of the output, in order.
        let frames: @Sendable (ByteRange, (ByteBuffer) async throws -> Void) async throws -> Void
        /// The tree hash of an aligned range of the output.
        let treeHash: @Sendable (ByteRange) async throws -> SHA256Digest
    }

    private func pinnedArchive(of job: JobRow) async throws -> ArchiveRow? {
        guard job.staged == nil, let uid = job.archive else { return nil }
        return try await catalog.archive(uid)
    }

    private func content(of job: JobRow, pinned: ArchiveRow?, in vault: VaultRow) async throws -> OutputContent {
        if let uid = job.staged {
            guard let staged = try await catalog.staged(uid) else { throw Messages.jobNotFound(job.id) }
            return try await stagedContent(staged, in: vault)
        }
        guard let retrieved = job.range, let archive = pinned else {
            throw Messages.jobNotFound(job.id)
        }
        let reader = try await ArchiveReader.open(archive, in: vault, engine: self)
        @Sendable func absolute(_ range: ByteRange) throws -> ByteRange {
            guard let shifted = ByteRange(first: retrieved.first + range.first, last: retrieved.first + range.last) else {
                throw VaultError(.internalFailure, "A job's range is impossible.")
            }
            return shifted
        }
        return OutputContent(
            frames: { range, visit in try await reader.forEachFrame(in: try absolute(range)) { try await visit($1) } },
            treeHash: { try await reader.treeHash(of: try absolute($0)) })
    }

    private func stagedContent(_ staged: StagedRow, in vault: VaultRow) async throws -> OutputContent {
        let column = try keyring.open(staged.sealed, as: StagedColumn.self, uid: staged.uid.bytes, of: vault)
        let key = try KeyWrap.unwrap(
            column.wrappedKey, under: try keyring.key(of: vault, version: staged.sealed.keyVersion),
            context: WrapContext.jobKey(
                account: vault.location.account.digits, vaultUID: vault.uid.bytes, stagedUID: staged.uid.bytes))
        let source = PartSource(
            blob: try blobID(staged.blob), blobBytes: staged.blobBytes, length: column.length, treeHash: nil,
            expectation: BlobExpectation(.staged, uid: staged.uid.bytes, index: 0, number: 0), sealHeader: column.sealHeader,
            account: vault.location.account, vault: vault.uid, key: key)
        let reader = try await PartReader.open(source, in: warm, compute: compute, scratch: PartScratch())
        return OutputContent(
            frames: { range, visit in
                try await reader.forEachFrame(first: range.first, last: range.last) { try await visit($1) }
            },
            treeHash: { range in
                let leaf = UInt64(Limits.leafBytes)
                return TreeHash.combine(reader.entries[Int(range.first / leaf)...Int(range.last / leaf)].map(\.digest))
            })
    }

    /// The sender: the first frame is fetched now, the others while the client reads. `memory` is held as long as the sender lives.
    private static func source(
        _ content: OutputContent, range: ByteRange?, memory: MemoryBudget.Reservation
    ) async throws -> @Sendable (@Sendable (ByteBuffer) async throws -> Void) async throws -> Void {
        guard let range else { return { _ in memory.release() } }
        let leaf = UInt64(Limits.leafBytes)
        guard let head = ByteRange(first: range.first, last: min(range.last, (range.first / leaf + 1) * leaf - 1)) else {
            throw VaultError(.internalFailure, "An output's first frame is impossible.")
        }
        let first = FirstFrame()
        try await content.frames(head) { first.buffers.append($0) }
        let buffers = first.buffers
        return { write in
            defer { memory.release() }
            for buffer in buffers { try await write(buffer) }
            if let rest = ByteRange(first: head.last + 1, last: range.last), head.last < range.last {
                do {
                    try await content.frames(rest) { try await write($0) }
                } catch {
                    // A client that went away is not our failure; bytes that do not verify are.
                    if error is FormatError || error is StorageError || error is SealError {
                        throw VaultError.wrapping(error, "sending a job's output")
                    }
                    throw error
                }
            }
        }
    }

    /// Collects during one awaited call; at most two buffers when the frame straddles parts.
    private final class FirstFrame: @unchecked Sendable { var buffers: [ByteBuffer] = [] }
}
