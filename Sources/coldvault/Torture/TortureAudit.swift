// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Foundation
import VaultClient

/// Everything that must hold after a restart, compared with the ledger. A finding is a loss; it does not stop the audit.
struct TortureAudit: Sendable {
    struct Result: Sendable {
        var verifiedArchives = 0
        var verifiedBytes = 0
        var findings: [TortureFinding] = []
    }

    /// Old archives looked at again after each restart.
    private static let sample = 5
    private static let patience: Duration = .seconds(600)

    let client: GlacierClient
    let ledger: TortureLedger
    /// - Parameters:
    ///   - known: archives that an earlier audit has verified.
    ///   - everything: those too.
    func run(known: Set<String>, everything: Bool, _ numbers: inout SeededNumbers) async throws -> Result {
        var result = Result()
        try await ledger.settle(present: try await inventory(&result))
        try await finishUploads(&result)
        let facts = await ledger.facts
        try await jobsEnd(facts, &result)
        let fresh = facts.certain.filter { !known.contains($0) }
        let old = facts.certain.filter { known.contains($0) }
        let chosen = everything ? facts.certain : fresh + Array(old.shuffled(using: &numbers).prefix(Self.sample))
        for archive in chosen { try await verify(archive, of: facts, &result) }
        return result
    }

    /// The archives that a fresh inventory names, compared with what must and must not be there.
    private func inventory(_ result: inout Result) async throws -> Set<String> {
        let job = try await client.initiateJob(
            vault: TortureDirectory.vault, order: JobOrder(.inventory(format: .json)))
        guard try await end(of: job).status == .succeeded else {
            throw TortureFinding("the inventory failed")
        }
        let bytes = try await client.jobOutput(vault: TortureDirectory.vault, jobID: job, upTo: 1 << 30)
        guard let list = try JSONParser.parse(bytes)["ArchiveList"]?.arrayValue else {
            throw TortureFinding("the inventory cannot be read")
        }
        var listed: [String: Int64] = [:]
        for entry in list {
            guard let id = entry["ArchiveId"]?.stringValue, let size = entry["Size"]?.integerValue else { continue }
            if listed.updateValue(size, forKey: id) != nil {
                result.findings.append(TortureFinding("archive \(id) is listed twice"))
            }
        }
        let facts = await ledger.facts
        for archive in facts.certain where listed[archive] != Int64(facts.archives[archive]?.bytes ?? -1) {
            result.findings.append(TortureFinding("archive \(archive) was acknowledged and is not in the inventory with its size"))
        }
        for archive in facts.deleted where listed[archive] != nil {
            result.findings.append(TortureFinding("archive \(archive) was deleted and is in the inventory"))
        }
        return Set(listed.keys)
    }

    /// Acknowledged parts are there, and every open upload can be completed; then it is.
    private func finishUploads(_ result: inout Result) async throws {
        let open = Set(try await client.listUploads(vault: TortureDirectory.vault).map(\.id))
        for (id, upload) in await ledger.facts.uploads.sorted(by: { $0.key < $1.key }) {
            let content = upload.body.content()
            if open.contains(id) {
                let listed = Set(
                    try await client.listParts(vault: TortureDirectory.vault, uploadID: id).parts.map { Int($0.range.lowerBound) })
                for first in upload.parts.subtracting(listed).sorted() {
                    result.findings.append(TortureFinding("the part at \(first) of upload \(id) was acknowledged and is gone"))
                }
                for first in stride(from: 0, to: content.count, by: TortureWorkload.partBytes) where !listed.contains(first) {
                    try await client.uploadPart(
                        vault: TortureDirectory.vault, uploadID: id, first: UInt64(first),
                        bytes: TortureWorkload.part(of: content, at: first))
                }
            }
            do {
                // Completing what was completed already, by the workload or by an earlier check, gives the same archive.
                let archive = try await TortureWorkload.complete(id, content, with: client)
                try await ledger.note(.completed(upload: id, archive: archive))
            } catch let error as ClientError where error.kind == .notFound {
                result.findings.append(TortureFinding("the open upload \(id) was acknowledged and is gone"))
                await ledger.forget(upload: id)
            }
        }
    }

    /// Every acknowledged job is known and ends, and fails only for an archive that was deleted.
    private func jobsEnd(_ facts: TortureFacts, _ result: inout Result) async throws {
        for (job, archive) in facts.jobs.sorted(by: { $0.key < $1.key }) {
            do {
                let ended = try await end(of: job)
                if ended.status == .failed, !facts.deleted.contains(archive) {
                    result.findings.append(
                        TortureFinding("job \(job) failed though its archive is there: \(ended.statusMessage ?? "")"))
                }
            } catch let error as ClientError where error.kind == .notFound {
                result.findings.append(TortureFinding("job \(job) was acknowledged and is gone"))
            }
            await ledger.forget(job: job)
        }
    }

    private func verify(_ archive: String, of facts: TortureFacts, _ result: inout Result) async throws {
        guard let body = facts.archives[archive] else { return }
        do {
            let job = try await client.initiateJob(
                vault: TortureDirectory.vault, order: JobOrder(.archive(id: archive, range: nil)))
            let ended = try await end(of: job)
            guard ended.status == .succeeded else {
                throw TortureFinding("archive \(archive) cannot be brought back: \(ended.statusMessage ?? "")")
            }
            let bytes = try await client.jobOutput(vault: TortureDirectory.vault, jobID: job, upTo: body.bytes + 1)
            guard bytes == body.content() else { throw TortureFinding("archive \(archive) came back with other bytes") }
            result.verifiedArchives += 1
            result.verifiedBytes += bytes.count
        } catch let error as TortureFinding {
            result.findings.append(error)
        } catch let error as ClientError where error.kind != .network && error.kind != .interrupted {
            result.findings.append(TortureFinding("archive \(archive) cannot be brought back: \(error)"))
        }
    }

    private func end(of job: String) async throws -> JobDescription {
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: Self.patience)
        while true {
            let description = try await client.describeJob(vault: TortureDirectory.vault, jobID: job)
            if description.status != .inProgress { return description }
            guard clock.now < deadline else { throw TortureFinding("job \(job) does not end") }
            try await Task.sleep(for: .milliseconds(20), clock: .continuous)
        }
    }
}
