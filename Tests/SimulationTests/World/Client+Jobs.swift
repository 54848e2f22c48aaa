// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import VaultModel

@testable import VaultEngine

extension Client {
    // MARK: retrieving

    func retrieve(from vault: String) async {
        let candidates = oracle.archives(in: vault, .stored)
        guard !candidates.isEmpty else { return }
        let archive = candidates[world.pick(candidates.count)]
        let leaves = (archive.content.count + (1 << 20) - 1) >> 20
        let first = world.pick(leaves)
        let end = min(archive.content.count, (first + 1 + world.pick(leaves - first)) << 20)
        let isWhole = world.pick(2) == 0
        guard let range = isWhole
            ? ByteRange.whole(size: UInt64(archive.content.count))
            : ByteRange(first: UInt64(first << 20), last: UInt64(end - 1))
        else { return }
        let request = JobRequest(
            action: .archive(archiveID: archive.id, range: isWhole ? nil : range),
            tier: [nil, .expedited, .bulk][world.pick(3)], description: nil,
            snsTopic: world.pick(3) == 0 ? SimulatedTransport.topic.text : nil)
        guard let job = await start(request, in: vault, archive: archive, range: range) else { return }
        guard world.pick(3) > 0, await waitForEnd(of: job) else { return }
        await read(job)
    }

    /// The oracle knows the job from the moment of its acknowledgement.
    private func start(_ request: JobRequest, in vault: String, archive: Oracle.Archive?, range: ByteRange?) async -> String? {
        let faults = world.weather.faults
        let what = archive.map { "retrieve n\($0.attempt)" } ?? "inventory of \(vault)"
        let answer = await ask(what, refusals: [.notFound]) {
            try await engine.initiateJob(World.location(vault), request)
        }
        switch answer {
        case .done(let id):
            world.check(oracle.jobs[id] == nil, "job \(id) was given out twice")
            oracle.add(
                Oracle.Job(
                    id: id, vault: vault, archive: archive?.id, range: range, created: world.clock.now(), faults: faults))
            return id
        case .refused(let error):
            let fate = archive.flatMap { oracle.archives[$0.id]?.fate }
            world.check(fate != nil && fate != .stored, "\(what): an acknowledged archive is missing: \(error)")
            return nil
        case .unknown: return nil
        }
    }

    func waitForEnd(of job: String) async -> Bool {
        for _ in 0..<60 {
            if await observe(job) { return true }
            if world.isDead { return false }
            try? await world.simulator.sleep(for: .milliseconds(Int64(200 + world.pick(4000))))
        }
        return false
    }

    func observeJobs() async {
        for _ in 0..<min(5, oracle.jobIDs.count) { _ = await observe(oracle.jobIDs[world.pick(oracle.jobIDs.count)]) }
    }

    /// Looks at a job: it is there until it expires, and once ended it never changes. True when it has ended.
    func observe(_ id: String) async -> Bool {
        guard let job = oracle.jobs[id] else { return false }
        let answer = await ask("describe-job", refusals: [.notFound]) {
            try await engine.describeJob(World.location(job.vault), jobID: id)
        }
        // Somebody else may have seen it meanwhile.
        guard let job = oracle.jobs[id] else { return false }
        switch answer {
        case .unknown: return false
        case .refused:
            checkExpired(job)
            return false
        case .done(let description):
            judge(description, job)
            return description.status != .inProgress
        }
    }

    private func checkExpired(_ job: Oracle.Job) {
        if let archive = job.archive, oracle.purgeTried.contains(archive) { return }
        let end = (job.completed ?? job.created).advanced(by: world.configuration.outputRetention)
        world.check(world.clock.now() >= end, "job \(job.id) of \(job.vault) is gone before its time")
    }

    private func judge(_ description: JobDescription, _ job: Oracle.Job) {
        guard let completed = description.completed else {
            world.check(job.completed == nil, "an ended job is in progress again: \(job.id)")
            return
        }
        let hasSucceeded = description.status == .succeeded
        if let before = job.completed {
            world.check(before == completed && job.hasSucceeded == hasSucceeded, "an ended job has changed: \(job.id)")
            return
        }
        oracle.jobs[job.id]?.completed = completed
        oracle.jobs[job.id]?.hasSucceeded = hasSucceeded
        guard !hasSucceeded else { return }
        world.count("failed jobs")
        let isDeleted = job.archive.flatMap { oracle.archives[$0]?.fate } ?? .stored != .stored
        world.check(
            isDeleted || world.isExcused(since: job.faults),
            "job \(job.id) failed without a reason: \(description.statusMessage ?? "")")
    }

    func download() async {
        let done = oracle.jobIDs.filter { oracle.jobs[$0]?.hasSucceeded == true && oracle.jobs[$0]?.archive != nil }
        guard !done.isEmpty else { return }
        // Rather a late one: the early ones have expired.
        await read(done[max(0, done.count - 1 - world.pick(12))])
    }

    /// Reads an output, whole or a range: the very bytes, or an error.
    func read(_ id: String) async {
        guard let job = oracle.jobs[id], job.hasSucceeded == true, let uid = job.archive, let range = job.range,
            let archive = oracle.archives[uid]
        else { return }
        let expected = archive.content.bytes.slice(range)
        let wanted = wantedRange(of: expected.count)
        let received = Received()
        let answer = await ask("read n\(archive.attempt)", refusals: [.notFound]) {
            let output = try await engine.openOutput(World.location(job.vault), jobID: id, range: wanted)
            try await output.stream { received.bytes += $0.readableBytesView }
            return output
        }
        // Whatever came of it: what was handed out was right.
        let slice = Self.slice(expected, wanted)
        world.check(
            slice.starts(with: received.bytes), "wrong bytes were handed out for n\(archive.attempt), \(wanted)")
        switch answer {
        case .unknown: break
        case .refused: checkExpired(job)
        case .done(let output):
            world.count("bytes read", received.bytes.count)
            world.check(received.bytes == slice, "an output of n\(archive.attempt) is short: \(received.bytes.count) of \(slice.count)")
            if let hash = output.treeHash {
                world.check(hash == slice.treeHash, "the tree hash of an output of n\(archive.attempt) is wrong")
            }
        }
    }

    private final class Received: @unchecked Sendable { var bytes: [UInt8] = [] }

    private func wantedRange(of count: Int) -> OutputRange {
        let first = UInt64(world.pick(count))
        switch world.pick(5) {
        case 0: return .from(first)
        case 1: return .closed(first, first + UInt64(world.pick(count - Int(first))))
        case 2: return .suffix(UInt64(1 + world.pick(count)))
        default: return .whole
        }
    }

    private static func slice(_ bytes: [UInt8], _ wanted: OutputRange) -> [UInt8] {
        switch wanted {
        case .whole: bytes
        case .from(let first): Array(bytes[Int(first)...])
        case .closed(let first, let last): Array(bytes[Int(first)...min(Int(last), bytes.count - 1)])
        case .suffix(let count): Array(bytes.suffix(Int(count)))
        }
    }

    // MARK: inventories

    /// What is acknowledged is listed, what is listed was sent, and nothing twice.
    func inventory(of vault: String) async {
        let before = oracle.archives(in: vault, .stored).map(\.id)
        let gone = Set(oracle.archives(in: vault, .deleted).map(\.id))
        let request = JobRequest(
            action: .inventory(InventoryParameters()), tier: nil, description: nil, snsTopic: nil)
        guard let job = await start(request, in: vault, archive: nil, range: nil), await waitForEnd(of: job),
            oracle.jobs[job]?.hasSucceeded == true
        else { return }
        let received = Received()
        let answer = await ask("read-inventory", refusals: [.notFound]) {
            let output = try await engine.openOutput(World.location(vault), jobID: job, range: .whole)
            try await output.stream { received.bytes += $0.readableBytesView }
        }
        guard case .done = answer else { return }
        guard let list = (try? JSONParser.parse(received.bytes))?["ArchiveList"]?.arrayValue else {
            return world.violation("an inventory of \(vault) is no document")
        }
        judge(list, of: vault, before: before, gone: gone)
    }

    func judge(_ list: [JSONValue], of vault: String, before: [String], gone: Set<String>) {
        var seen: Set<String> = []
        var attempts: Set<Int> = []
        for entry in list {
            guard let id = entry["ArchiveId"]?.stringValue, let text = entry["ArchiveDescription"]?.stringValue,
                let attempt = Int(text.dropFirst()), text.first == "n", attempt < oracle.attempts.count
            else { return world.violation("an inventory of \(vault) lists what nobody sent: \(entry)") }
            seen.insert(id)
            world.check(attempts.insert(attempt).inserted, "n\(attempt) is listed as two archives")
            world.check(!gone.contains(id), "n\(attempt) was deleted and is listed")
            let known = oracle.attempts[attempt]
            let hash = entry["SHA256TreeHash"]?.stringValue
            world.check(
                known.vault == vault && !known.isAborted && (known.acknowledged ?? id) == id
                    && known.contents.contains { $0.bytes.treeHash.hex == hash && Int64($0.count) == entry["Size"]?.integerValue },
                "n\(attempt) is listed otherwise than it was sent")
        }
        for id in before where oracle.archives[id]?.fate == .stored && !seen.contains(id) {
            world.violation("n\(oracle.archives[id]?.attempt ?? -1) is stored and not listed in \(vault)")
        }
    }
}
