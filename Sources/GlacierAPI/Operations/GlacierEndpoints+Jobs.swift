// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOHTTP1
import VaultEngine
import VaultModel

extension GlacierEndpoints {
    func initiateJob(_ request: OperationRequest) async throws -> Answer {
        let location = try request.location()
        guard let job = request.job else { throw WireError.missing("Job Parameters") }
        let jobID = try await operations.initiateJob(location, try job.get(), by: request.caller)
        return .accepted(
            .accepted, [("Location", "\(request.path(of: location))/jobs/\(jobID)"), ("x-amz-job-id", jobID)])
    }

    func describeJob(_ request: OperationRequest) async throws -> Answer {
        .json(try await operations.describeJob(try request.location(), jobID: request.route.identifier).document)
    }

    func listJobs(_ request: OperationRequest) async throws -> Answer {
        let location = try request.location()
        let target = request.target
        var status: JobDescription.Status?
        if let text = target.parameter("statuscode") {
            status = JobDescription.Status(rawValue: text)
            guard status != nil else {
                throw WireError.invalid("The job status code is not valid: \(PrintableText.excerpt(text))")
            }
        }
        var completed: Bool?
        if let text = target.parameter("completed") {
            completed = ["true": true, "false": false][text.lowercased()]
            guard completed != nil else {
                throw WireError.invalid("completed", PrintableText.excerpt(text), because: "It must be true or false.")
            }
        }
        let page = try await operations.listJobs(
            location, status: status, completed: completed, marker: target.parameter("marker"),
            limit: try target.pageLimit(maximum: Limits.jobsPerPage))
        return .json(["JobList": .array(page.jobs.map(\.document)), "Marker": .text(page.next)])
    }

    func getJobOutput(_ request: OperationRequest) async throws -> Answer {
        let location = try request.location()
        let output = try await operations.openOutput(
            location, jobID: request.route.identifier, range: try range(request))
        var headers: [(name: String, value: String)] = [
            ("Content-Type", output.contentType), ("Accept-Ranges", "bytes"),
        ]
        if output.isPartial, let range = output.range {
            headers.append(("Content-Range", "bytes \(range.first)-\(range.last)/\(output.totalBytes)"))
        }
        if let treeHash = output.treeHash { headers.append(("x-amz-sha256-tree-hash", treeHash.hex)) }
        if let description = output.archiveDescription, !description.isEmpty {
            headers.append(("x-amz-archive-description", description))
        }
        return Answer(
            status: output.isPartial ? .partialContent : .ok, headers: headers,
            payload: .stream(count: output.byteCount) { write in try await output.stream(to: write) })
    }

    private func range(_ request: OperationRequest) throws(WireError) -> OutputRange {
        guard let text = try request.headers.optional("Range"), !text.isEmpty else { return .whole }
        switch OutputRangeText.parse(text) {
        case .from(let first): return .from(first)
        case .closed(let first, let last): return .closed(first, last)
        case .suffix(let count): return .suffix(count)
        case nil:
            throw .invalid(
                "Range", PrintableText.excerpt(text), because: "Send one range of bytes, such as bytes=0-1048575.")
        }
    }
}
