// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
public import Execution
public import NIOCore

/// Runs an inventory job and streams its output.
public struct InventoryFetcher: Sendable {
    let client: GlacierClient
    let pool: BlockingPool

    /// Fetches with `client`; file work is done on `pool`.
    public init(client: GlacierClient, pool: BlockingPool) {
        self.client = client
        self.pool = pool
    }

    /// Begins a job, or takes the named one, and waits for it.
    public func job(
        vault: String, format: InventoryFormat, jobID: String?, schedule: PollSchedule,
        observing: (JobDescription) -> Void = { _ in }
    ) async throws -> JobDescription {
        var id = jobID
        if id == nil { id = try await client.initiateJob(vault: vault, order: JobOrder(.inventory(format: format))) }
        let job = try await client.waitForJob(vault: vault, jobID: id ?? "", schedule: schedule, observing: observing)
        try job.requireSuccess()
        guard job.action == "InventoryRetrieval" else {
            throw ClientError(.usage, "Job \(job.id) is not an inventory job.", remedy: "Its action is \(job.action).")
        }
        return job
    }

    /// Hands the output to `sink` piece by piece. Repeated only while nothing was handed over.
    public func stream(vault: String, jobID: String, to sink: (ByteBuffer) async throws -> Void) async throws {
        try await client.jobOutput(vault: vault, jobID: jobID) { response in
            var handedOver = false
            do {
                for try await piece in response.body {
                    handedOver = true
                    try await sink(piece)
                }
            } catch let error where handedOver {
                let error = NetworkFailure.classify(error, endpoint: client.settings.endpoint)
                guard let problem = error as? ClientError, problem.repetition != .useless else { throw error }
                throw ClientError(
                    problem.kind, "The inventory was cut off: \(problem.message)",
                    remedy: "Fetch it again with --job-id \(jobID).")
            }
        }
    }

    /// Writes the output to a file that appears only when it is complete; durable on return.
    public func save(vault: String, jobID: String, to target: String, replacing: Bool) async throws -> UInt64 {
        let pool = pool
        let partPath = "\(target).part"
        if !replacing, await pool.run({ LocalFile.exists(target) }) { throw ClientError.wouldReplace(target) }
        let bytes = try await client.jobOutput(vault: vault, jobID: jobID) { response in
            let file = try await pool.run { () throws(ClientError) in
                let file = try LocalFile.openForWriting(partPath)
                try file.truncate(to: 0)
                return file
            }
            var position: UInt64 = 0
            for try await piece in response.body {
                let offset = position
                try await pool.run { () throws(ClientError) in try file.write(piece, at: offset) }
                position += UInt64(piece.readableBytes)
            }
            try await pool.run { () throws(ClientError) in try file.synchronize() }
            return position
        }
        try await pool.run { () throws(ClientError) in
            try LocalFile.rename(partPath, to: target, replacing: replacing)
        }
        return bytes
    }
}
