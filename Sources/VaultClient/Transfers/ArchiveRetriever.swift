// SPDX-License-Identifier: Apache-2.0

public import Cryptography
public import Execution
import Synchronization
import TreeHash

/// Which archive to bring back, and how.
public struct RetrievalOrder: Sendable {
    /// The vault the archive is in.
    public var vault: String
    /// May be nil when ``jobID`` is given.
    public var archiveID: String?
    /// The file that appears when everything is verified.
    public var outputPath: String
    /// Of the archive; nil for all of it.
    public var range: Range<UInt64>?
    /// `Expedited`, `Standard` or `Bulk`; nil leaves it to the service.
    public var tier: String?
    /// Kept with the job.
    public var description = ""
    /// A job initiated earlier; nil begins one, or continues the one of an interrupted download.
    public var jobID: String?
    /// Whether an existing file may be replaced.
    public var replacesExisting = false
    /// Ranges on their way at once.
    public var parallel = 4
    /// Bytes of a range, 2^k MiB.
    public var pieceBytes: UInt64 = 16 << 20
    /// Accepts an output for which the service states no hash at all.
    public var acceptsUnverifiable = false
    /// How often the job is looked at.
    public var schedule = PollSchedule()

    /// An order with every choice at its default.
    public init(vault: String, archiveID: String?, outputPath: String) {
        self.vault = vault
        self.archiveID = archiveID
        self.outputPath = outputPath
    }
}

/// A file that is complete, verified, durable and has its name.
public struct RetrievalResult: Sendable, Hashable {
    /// The job that brought it.
    public let jobID: String
    /// The archive, when the job tells.
    public let archiveID: String?
    /// Size of the file.
    public let bytes: UInt64
    /// Of the bytes in the file.
    public let treeHash: SHA256Digest
    /// False only with ``RetrievalOrder/acceptsUnverifiable``.
    public let isVerified: Bool
    /// Bytes that an interrupted download had already brought.
    public let keptBytes: UInt64
}

/// Brings an archive back into a file.
///
/// Invariants: the file appears under its name only when its tree hash equals the one the service states for what was
/// asked, and only after fsync; an existing file is replaced only on request; a range taken over from an interrupted
/// download is hashed again from the disk. Memory: about 2 MiB per range on its way.
public struct ArchiveRetriever: Sendable {
    let client: GlacierClient
    let pool: BlockingPool
    let progress: any TransferProgress

    /// Retrieves with `client`; file work is done on `pool`.
    public init(client: GlacierClient, pool: BlockingPool, progress: any TransferProgress) {
        self.client = client
        self.pool = pool
        self.progress = progress
    }

    /// - Throws: ``ClientError``; `CancellationError` leaves what was verified to be resumed.
    public func retrieve(_ order: RetrievalOrder, observing: (JobDescription) -> Void = { _ in }) async throws
        -> RetrievalResult
    {
        let target = order.outputPath
        if !order.replacesExisting, await pool.run({ LocalFile.exists(target) }) {
            throw ClientError.wouldReplace(target)
        }
        let files = try await RetrievalFiles.open(
            target: target,
            identity: .init(
                vault: order.vault, archiveID: order.archiveID, jobID: order.archiveID == nil ? order.jobID : nil,
                range: order.range), pool: pool)
        let jobID = try await job(for: order, files: files)
        let job = try await client.waitForJob(
            vault: order.vault, jobID: jobID, schedule: order.schedule, observing: observing)
        try job.requireSuccess()
        let stated = try Self.checked(job, against: order)
        defer { progress.end() }
        return try await download(job, treeHash: stated, order, files: files)
    }

    /// The job to wait for: the named one, the one an interrupted download was waiting for, or a new one.
    private func job(for order: RetrievalOrder, files: RetrievalFiles) async throws -> String {
        if let id = order.jobID { return id }
        if let id = await files.journal.jobID {
            do {
                if try await client.describeJob(vault: order.vault, jobID: id).status != .failed {
                    client.surroundings.remark("Continuing with job \(id).")
                    return id
                }
            } catch let error as ClientError where error.kind == .notFound {
                client.surroundings.remark("Job \(id) has expired: beginning a new one. What was downloaded is kept.")
            }
        }
        guard let archiveID = order.archiveID else {
            throw ClientError(.usage, "Neither an archive nor a job is named.", remedy: "Use --archive-id or --job-id.")
        }
        let id = try await client.initiateJob(
            vault: order.vault,
            order: JobOrder(
                .archive(id: archiveID, range: order.range), tier: order.tier, description: order.description))
        try await files.note(jobID: id)
        return id
    }

    /// The hash that decides, after checking that the job is the one that was asked for.
    private static func checked(_ job: JobDescription, against order: RetrievalOrder) throws(ClientError)
        -> SHA256Digest?
    {
        guard job.action == "ArchiveRetrieval", order.archiveID == nil || job.archiveID == order.archiveID else {
            throw ClientError(
                .usage, "Job \(job.id) retrieves something else.",
                remedy: "Its action is \(job.action): see 'job describe'.")
        }
        guard let total = job.outputBytes, total > 0 else {
            throw Missing.member("RetrievalByteRange", of: "job description")
        }
        if let wanted = order.range, let got = job.retrievalRange, wanted != got {
            throw ClientError(
                .usage,
                "Job \(job.id) retrieves bytes \(ByteRangeText.format(got)), not \(ByteRangeText.format(wanted)).")
        }
        let isWhole = job.archiveBytes == total
        let stated = job.treeHash ?? (isWhole ? job.archiveTreeHash : nil)
        guard stated != nil || order.acceptsUnverifiable else {
            throw ClientError(
                .integrity, "The service states no tree hash for this range, so it could not be verified.",
                remedy:
                    "Ask for a range whose length is 1, 2, 4, 8 … MiB and whose start is a multiple of it, or "
                    + "accept unverified "
                    + "bytes with --allow-unverified (and --job-id \(job.id)).")
        }
        return stated
    }

    private func download(
        _ job: JobDescription, treeHash stated: SHA256Digest?, _ order: RetrievalOrder, files: RetrievalFiles
    ) async throws -> RetrievalResult {
        let total = job.outputBytes ?? 0
        let journal = await files.journal
        let plan: RangePlan
        if let old = journal.plan, old.totalBytes == total, journal.treeHash == stated {
            plan = old
        } else {
            plan = .download(totalBytes: total, wanted: order.pieceBytes)
            try await files.begin(plan, treeHash: stated)
        }
        progress.begin("Downloading", totalBytes: total)
        let known = journal.plan == plan && journal.treeHash == stated ? journal.verified : [:]
        let output = OutputRange(
            client: client, pool: pool, progress: progress, vault: order.vault, jobID: job.id, totalBytes: total)
        let tally = Mutex(RetrievalTally(digests: Array(repeating: nil, count: plan.count)))
        let part = files.part
        try await ParallelWork.run(Array(0..<plan.count), width: order.parallel) { [pool, progress] index in
            let range = plan[index]
            let bytes = range.upperBound - range.lowerBound
            if let digest = known[index], await Self.isOnDisk(digest, range: range, of: part, on: pool) {
                progress.advance(by: Int64(clamping: bytes))
                tally.withLock {
                    $0.digests[index] = digest
                    $0.keptBytes += bytes
                }
                return
            }
            try Task.checkCancellation()
            let digest = try await output.fetch(range, into: part)
            try await files.note(verified: index, digest)
            tally.withLock { $0.digests[index] = digest }
        }
        let (digests, kept) = tally.withLock { ($0.digests.compactMap { $0 }, $0.keptBytes) }
        let treeHash = TreeHash.combine(digests)
        if let stated, stated != treeHash {
            try await files.discard()
            throw ClientError(
                .integrity,
                "The bytes that arrived have tree hash \(treeHash), but the archive's is \(stated). They were "
                    + "thrown away.",
                remedy: "Try again; if it happens again, the service serves wrong bytes.")
        }
        try await files.finish(bytes: total, replacing: order.replacesExisting)
        return RetrievalResult(
            jobID: job.id, archiveID: job.archiveID, bytes: total, treeHash: treeHash, isVerified: stated != nil,
            keptBytes: kept)
    }

    /// Whether the bytes on the disk are what the journal says. An error counts as no: the range is then downloaded
    /// again.
    private static func isOnDisk(
        _ digest: SHA256Digest, range: Range<UInt64>, of file: LocalFile, on pool: BlockingPool
    ) async -> Bool {
        (try? await PartHashes.computed(of: file, range: range, on: pool))?.tree == digest
    }
}

private struct RetrievalTally {
    var digests: [SHA256Digest?]
    var keptBytes: UInt64 = 0
}
