// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import NIOHTTP1

/// What InitiateJob is asked to do.
public struct JobOrder: Sendable, Hashable {
    /// What the job brings.
    public enum Work: Sendable, Hashable {
        /// The bytes of an archive; `range` nil for all of them.
        case archive(id: String, range: Range<UInt64>?)
        case inventory(format: InventoryFormat)
    }

    /// What the job brings.
    public let work: Work
    /// `Expedited`, `Standard` or `Bulk`; nil leaves it to the service.
    public let tier: String?
    /// Kept with the job; empty for none.
    public let description: String

    /// An order; nothing is checked before it is sent.
    public init(_ work: Work, tier: String? = nil, description: String = "") {
        self.work = work
        self.tier = tier
        self.description = description
    }
}

/// The two forms of an inventory.
public enum InventoryFormat: String, Sendable, CaseIterable {
    case json
    case csv
}

extension GlacierClient {
    /// InitiateJob. Returns the job id.
    public func initiateJob(vault: String, order: JobOrder) async throws -> String {
        var members: [String: JSONValue] = [:]
        switch order.work {
        case .archive(let id, let range):
            members["Type"] = .string("archive-retrieval")
            members["ArchiveId"] = .string(try Self.identifier(id, "an archive id"))
            if let range { members["RetrievalByteRange"] = .string(ByteRangeText.format(range)) }
        case .inventory(let format):
            members["Type"] = .string("inventory-retrieval")
            members["Format"] = .string(format.rawValue.uppercased())
        }
        if let tier = order.tier { members["Tier"] = .string(tier) }
        if !order.description.isEmpty { members["Description"] = .string(order.description) }
        var call = GlacierCall(
            operation: "InitiateJob in '\(vault)'", method: "POST", path: try Self.vaultPath(vault) + ["jobs"])
        call.headers = [(name: "content-type", value: "application/json")]
        call.body = .bytes(JSONValue.object(members).canonicalBytes())
        guard let id = try await perform(call).first(name: "x-amz-job-id"), !id.isEmpty else {
            throw Missing.member("x-amz-job-id", of: "answer to \(call.operation)")
        }
        return id
    }

    /// DescribeJob.
    public func describeJob(vault: String, jobID: String) async throws -> JobDescription {
        try JobDescription(try await document(try job(jobID, in: vault, operation: "DescribeJob")))
    }

    /// ListJobs, all pages.
    ///
    /// - Parameters:
    ///   - status: `InProgress`, `Succeeded` or `Failed`; nil for all.
    ///   - completed: only finished or only unfinished ones; nil for all.
    public func listJobs(vault: String, status: String? = nil, completed: Bool? = nil) async throws -> [JobDescription]
    {
        var call = GlacierCall(
            operation: "ListJobs of '\(vault)'", method: "GET", path: try Self.vaultPath(vault) + ["jobs"])
        if let completed { call.query.append((name: "completed", value: String(completed))) }
        if let status { call.query.append((name: "statuscode", value: status)) }
        return try await pages(call, items: "JobList").map { try JobDescription($0) }
    }

    /// GetJobOutput: hands the answer to `read`, once per attempt.
    ///
    /// - Parameter range: of the output, not of the archive; nil for all of it.
    func jobOutput<Answer: Sendable>(
        vault: String, jobID: String, range: Range<UInt64>? = nil,
        reading read: (InboundResponse) async throws -> Answer
    ) async throws -> Answer {
        var call = try job(jobID, in: vault, operation: "GetJobOutput", tail: ["output"])
        if let range { call.headers = [(name: "range", value: "bytes=\(ByteRangeText.format(range))")] }
        return try await perform(call, reading: read)
    }

    private func job(
        _ id: String, in vault: String, operation: String, tail: [String] = []
    ) throws(ClientError) -> GlacierCall {
        GlacierCall(
            operation: "\(operation) in '\(vault)'", method: "GET",
            path: try Self.vaultPath(vault) + ["jobs", try Self.identifier(id, "a job id")] + tail)
    }
}
