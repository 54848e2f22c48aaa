// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import Cryptography
import VaultClient

/// `coldvault archive retrieve`
struct ArchiveRetrieveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retrieve", abstract: "Bring an archive back into a file, verified.",
        discussion: """
            Begins a retrieval job, waits for it, and downloads its output into FILE.part in several ranges at once, \
            each checked against its tree hash. FILE appears only when everything is there, verified and on disk. \
            Interrupted, the same command goes on.
            """)

    @OptionGroup var vault: VaultOption

    @Option(
        name: .customLong("archive-id"), parsing: .unconditional, help: "Id of the archive. Not needed with --job-id.")
    var archiveID: String?

    @Option(help: "File to write.", completion: .file())
    var outputFile: String?

    @Option(help: "Expedited, Standard or Bulk. The service's default when left out.")
    var tier: String?

    @Option(name: .customLong("job-id"), parsing: .unconditional, help: "Job begun earlier, instead of beginning one.")
    var jobID: String?

    @Option(help: "Part of the archive to retrieve: FIRST-LAST in bytes, both inclusive, aligned to MiB.")
    var range: String?

    @Option(parsing: .unconditional, help: "Description kept with the job.")
    var description: String?

    @Option(help: "Ranges downloaded at once (1-16).")
    var parallel: Int = 4

    @Option(help: "Bytes downloaded per request: 1MiB, 2MiB, 4MiB … 4GiB.")
    var chunkSize: ByteArgument?

    @Flag(help: "Replace FILE when it exists.")
    var force = false

    @Flag(help: "Accept a range for which the service states no tree hash.")
    var allowUnverified = false

    @Flag(help: "Begin the job, print its id and stop.")
    var noWait = false

    @OptionGroup var poll: PollOptions
    @OptionGroup var options: ClientOptions

    func validate() throws {
        guard (1...16).contains(parallel) else { throw ValidationError("--parallel must be 1 to 16.") }
        guard archiveID != nil || jobID != nil else {
            throw ValidationError("Name the archive with --archive-id, or a job with --job-id.")
        }
        guard noWait || outputFile != nil else { throw ValidationError("Name the file to write with --output-file.") }
        guard !noWait || jobID == nil && archiveID != nil else {
            throw ValidationError("--no-wait begins a job: it needs --archive-id and cannot have --job-id.")
        }
        if let chunkSize, !PartSizing.isPartSize(chunkSize.bytes) {
            throw ValidationError("--chunk-size must be 1MiB, 2MiB, 4MiB and so on up to 4GiB.")
        }
    }

    func run() async throws {
        let command = self
        let hint = "Run the same command again to go on."
        try await ClientSession.run(options, parallel: parallel, whenInterrupted: hint) { session in
            let range = try command.range.map { text throws(ClientError) in try RetrievalRange.parse(text) }
            if let range, !RetrievalRange.isSurelyVerifiable(range), !command.allowUnverified {
                session.progress.remark(
                    "Note: this range can be verified only if it ends with the archive's last byte.")
            }
            if command.noWait {
                try await command.begin(range: range, in: session)
            } else {
                try await command.fetch(range: range, in: session)
            }
        }
    }

    private func begin(range: Range<UInt64>?, in session: ClientSession) async throws {
        let id = try await session.client.initiateJob(
            vault: vault.vault,
            order: JobOrder(.archive(id: archiveID ?? "", range: range), tier: tier, description: description ?? ""))
        try session.show(.object(["JobId": .string(id)])) { "Job id: \(id)" }
    }

    private func fetch(range: Range<UInt64>?, in session: ClientSession) async throws {
        let target = outputFile ?? ""
        var order = RetrievalOrder(vault: vault.vault, archiveID: archiveID, outputPath: target)
        order.range = range
        order.tier = tier
        order.description = description ?? ""
        order.jobID = jobID
        order.replacesExisting = force
        order.parallel = parallel
        order.pieceBytes = chunkSize?.bytes ?? order.pieceBytes
        order.acceptsUnverifiable = allowUnverified
        order.schedule = poll.schedule
        let retriever = ArchiveRetriever(client: session.client, pool: session.pool, progress: session.progress)
        let result = try await retriever.retrieve(order, observing: session.watching())
        try session.show(
            .object([
                "ArchiveId": result.archiveID.map { .string($0) } ?? .null, "JobId": .string(result.jobID),
                "OutputFile": .string(target), "ResumedBytes": .integer(Int64(clamping: result.keptBytes)),
                "SHA256TreeHash": .string(result.treeHash.hex), "SizeInBytes": .integer(Int64(clamping: result.bytes)),
                "Verified": .bool(result.isVerified),
            ])
        ) {
            let verdict = result.isVerified ? "verified" : "NOT VERIFIED: the service stated none"
            return """
                Wrote:     \(target) (\(ByteText.exact(result.bytes)))
                Tree hash: \(result.treeHash.hex) (\(verdict))
                """
        }
    }
}
