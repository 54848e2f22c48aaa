// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Execution
import NIOCore
import SQLiteCatalog
import SealedArchive
import Storage
import StorageLaws
import VaultModel

@testable import VaultEngine

extension World {
    /// A salt is used once: two blobs with the same one would share their key stream, were their keys the same.
    func collectSalts() {
        for (path, bytes) in disk.contents.sorted(by: { $0.key < $1.key })
        where path.hasPrefix("\(dataPath)/blobs/vaults") || path.hasPrefix("\(dataPath)/blobs/accounts") {
            guard bytes.starts(with: BlobPreamble.magic), bytes.count >= 64 else { continue }
            let salt = Array(bytes[40..<64])
            let before = salts.updateValue(path, forKey: salt)
            check(before == nil || before == path, "\(path) has the salt of \(before ?? "")")
        }
    }

    /// The last life: everything that was begun comes to its end, and everything acknowledged is there.
    func lastLife() async throws {
        let service = try await Service.open(self)
        let engine = service.engine
        _ = try await engine.confirmClock()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in await serve(engine, since: weather.faults) }
            do {
                try await settle(service)
                if configuration.scrub != nil { try await scrubEverything(engine) }
                if pick(2) == 0 { try await renewEveryKey(engine) }
                try await checkPurged(engine)
                try await audit(service)
            } catch {
                violation("the last life: \(error)")
            }
            group.cancelAll()
        }
        check(
            engine.budget.freeBytes == configuration.memoryBudgetBytes,
            "working memory was not given back: \(engine.budget.freeBytes) of \(configuration.memoryBudgetBytes) are free")
        await service.catalog.close()
        check(disk.openFileCount == 0, "\(disk.openFileCount) files are open after an orderly stop")
        collectSalts()
        try await checkRebuildKnowsWhatWasAcknowledged()
    }

    /// Every job ends, every message arrives, everything doomed goes: within an hour of virtual time.
    private func settle(_ service: Service) async throws {
        let client = Client(world: self, engines: [service.engine], number: 9)
        let deadline = clock.now().advanced(by: .seconds(3600))
        while clock.now() < deadline {
            for id in oracle.jobIDs where oracle.jobs[id]?.completed == nil { _ = await client.observe(id) }
            let totals = try await service.engine.totals()
            if totals.queuedJobs + totals.waitingMessages == 0 { break }
            try await simulator.sleep(for: .seconds(7))
        }
        let totals = try await service.engine.totals()
        check(totals.queuedJobs == 0, "\(totals.queuedJobs) jobs do not end")
        check(totals.waitingMessages == 0, "\(totals.waitingMessages) messages do not leave")
        for (job, messages) in transport.taken.sorted(by: { $0.key < $1.key }) {
            check(messages.count == 1, "job \(job) was announced as \(messages.count) different events")
        }
        for id in oracle.jobIDs {
            guard let job = oracle.jobs[id], job.vault == "main", job.completed != nil else { continue }
            check(transport.taken[id] != nil, "nobody was told of the end of job \(id)")
        }
    }

    private func audit(_ service: Service) async throws {
        let engine = service.engine
        let client = Client(world: self, engines: [engine], number: 9)
        // Everything acknowledged and not deleted: readable and equal.
        for archive in oracle.archives(.stored) {
            try await readBack(archive, client, engine)
            count("archives compared")
        }
        // A deletion of unknown fate: there and right, or not there.
        for archive in oracle.archives(.doubtful) {
            if case .done(let job) = await client.ask("retrieve", refusals: [.notFound, .invalidParameter], {
                try await engine.initiateJob(Self.location(archive.vault), Self.retrieval(of: archive))
            }) { try await compare(job, archive, client, engine) }
        }
        for archive in oracle.archives(.deleted) {
            let answer = await client.ask("retrieve-deleted", refusals: [.notFound, .invalidParameter]) {
                try await engine.initiateJob(Self.location(archive.vault), Self.retrieval(of: archive))
            }
            if case .done = answer { violation("n\(archive.attempt) was deleted and can be retrieved") }
        }
        for vault in Self.vaults { try await auditList(of: vault, client, engine, service.catalog) }
        try await auditKeys(engine)
    }

    private static func retrieval(of archive: Oracle.Archive) -> JobRequest {
        JobRequest(action: .archive(archiveID: archive.id, range: nil), tier: nil, description: nil, snsTopic: nil)
    }

    private func readBack(_ archive: Oracle.Archive, _ client: Client, _ engine: VaultEngine) async throws {
        let answer = await client.ask("retrieve n\(archive.attempt)") {
            try await engine.initiateJob(Self.location(archive.vault), Self.retrieval(of: archive))
        }
        guard case .done(let job) = answer else { return violation("n\(archive.attempt) cannot be retrieved") }
        try await compare(job, archive, client, engine)
    }

    private func compare(_ job: String, _ archive: Oracle.Archive, _ client: Client, _ engine: VaultEngine) async throws {
        let location = Self.location(archive.vault)
        for _ in 0..<2000 {
            if try await engine.describeJob(location, jobID: job).status != .inProgress { break }
            try await simulator.sleep(for: .milliseconds(500))
        }
        let description = try await engine.describeJob(location, jobID: job)
        guard description.status == .succeeded else {
            return violation("n\(archive.attempt) of \(archive.vault) is not readable: \(description.statusMessage ?? "in progress")")
        }
        let received = Bytes()
        let output = try await engine.openOutput(location, jobID: job, range: .whole)
        try await output.stream { received.bytes += $0.readableBytesView }
        check(received.bytes == archive.content.bytes, "n\(archive.attempt) is not what was acknowledged")
    }

    private final class Bytes: @unchecked Sendable { var bytes: [UInt8] = [] }

    /// The list of a vault, its counts, and the blobs that it rests on.
    private func auditList(of vault: String, _ client: Client, _ engine: VaultEngine, _ catalog: any Catalog) async throws {
        await client.inventory(of: vault)
        let description = try await engine.describeVault(Self.location(vault))
        guard let row = try await catalog.vault(at: Self.location(vault)) else { return violation("\(vault) is gone") }
        var rows: [ArchiveRow] = []
        var after: ArchivePosition?
        while true {
            let page = try await catalog.archives(vault: row.uid, after: after, from: nil, until: nil, limit: 100)
            rows += page
            guard page.count == 100, let last = page.last else { break }
            after = ArchivePosition(created: last.created, uid: last.uid)
        }
        check(description.archiveCount == UInt64(rows.count), "\(vault) counts \(description.archiveCount) of \(rows.count) archives")
        let contents = disk.contents
        for archive in rows {
            let name = BlobName.manifest(
                account: Self.account.digits, vaultUID: row.uid.bytes, archiveUID: archive.uid.bytes, generation: archive.generation)
            check(contents["\(dataPath)/blobs/\(name.text)"] != nil, "the manifest of a listed archive of \(vault) is missing")
        }
        // The record that the catalog's row rests on, without which a rebuild would not know.
        let record = BlobName.vault(account: Self.account.digits, vaultUID: row.uid.bytes, generation: row.generation)
        check(contents["\(dataPath)/blobs/\(record.text)"] != nil, "the record of \(vault) is missing at generation \(row.generation)")
    }

    private func auditKeys(_ engine: VaultEngine) async throws {
        let keys = try await engine.listKeys()
        for key in keys.master where !key.isCurrent {
            check(key.references == 0, "master key \(key.version) is old and still has \(key.references) references")
        }
        if oracle.isLocked {
            let lock = try await engine.vaultLock(Self.location("ledger"))
            check(lock.state == .locked, "the lock of ledger is \(lock.state)")
        }
    }
}
