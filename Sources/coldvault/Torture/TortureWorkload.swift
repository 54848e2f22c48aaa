// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Foundation
import TreeHash
import VaultClient

/// Clients that upload, delete and retrieve without pause, and note what was acknowledged.
struct TortureWorkload: Sendable {
    static let partBytes = 1 << 20

    let client: GlacierClient
    let ledger: TortureLedger
    let workers: Int
    let largest: Int
    /// Between the note that something will be deleted and the request: as long as a ledger may take to be safe.
    let deletionPause: Duration

    /// Runs until the service is gone, the task is cancelled, or something happens that must not.
    func run(seed: UInt64) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<workers {
                group.addTask { try await work(SeededNumbers(seed: seed &+ UInt64(worker) &* 0x1000_0001)) }
            }
            try await group.waitForAll()
        }
    }

    private func work(_ numbers: SeededNumbers) async throws {
        var numbers = numbers
        while !Task.isCancelled {
            do {
                switch Int.random(in: 0..<6, using: &numbers) {
                case 0, 1, 2: try await upload(&numbers)
                case 3: try await uploadInParts(&numbers)
                case 4: try await delete(&numbers)
                default: try await retrieve(&numbers)
                }
            } catch let error as ClientError {
                switch error.kind {
                case .network, .interrupted: return
                // Another worker may have deleted it in between; throttling and a busy service are no losses.
                case .notFound: continue
                case .service where error.fault.map({ RetryPolicy.isTransient(status: $0.status, code: $0.code) }) == true:
                    continue
                default: throw TortureFinding("the service refused what it must take: \(error)")
                }
            } catch is CancellationError {
                return
            }
        }
    }

    private func upload(_ numbers: inout SeededNumbers) async throws {
        let body = TortureBody.random(largest: largest, &numbers)
        let stored = try await client.uploadArchive(vault: TortureDirectory.vault, bytes: body.content(), description: "torture")
        try await ledger.note(.stored(archive: stored.archiveID, body))
    }

    private func uploadInParts(_ numbers: inout SeededNumbers) async throws {
        let body = TortureBody.random(largest: largest, &numbers)
        let content = body.content()
        let upload = try await client.initiateUpload(
            vault: TortureDirectory.vault, partBytes: UInt64(Self.partBytes), description: "torture")
        try await ledger.note(.uploading(upload: upload, body))
        for first in stride(from: 0, to: content.count, by: Self.partBytes) {
            try await client.uploadPart(
                vault: TortureDirectory.vault, uploadID: upload, first: UInt64(first), bytes: Self.part(of: content, at: first))
            try await ledger.note(.part(upload: upload, first: first))
        }
        try await ledger.note(.completing(upload: upload))
        let stored = try await Self.complete(upload, content, with: client)
        try await ledger.note(.completed(upload: upload, archive: stored))
    }

    private func delete(_ numbers: inout SeededNumbers) async throws {
        guard let archive = await ledger.pick(numbers.next()) else { return }
        try await ledger.note(.deleting(archive: archive))
        if deletionPause > .zero { try await Task.sleep(for: deletionPause, clock: .continuous) }
        try await client.deleteArchive(vault: TortureDirectory.vault, archiveID: archive)
        try await ledger.note(.deleted(archive: archive))
    }

    private func retrieve(_ numbers: inout SeededNumbers) async throws {
        guard let archive = await ledger.pick(numbers.next()) else { return }
        let job = try await client.initiateJob(
            vault: TortureDirectory.vault, order: JobOrder(.archive(id: archive, range: nil)))
        try await ledger.note(.ordered(job: job, archive: archive))
    }

    static func part(of content: [UInt8], at first: Int) -> [UInt8] {
        Array(content[first..<min(first + partBytes, content.count)])
    }

    static func complete(_ upload: String, _ content: [UInt8], with client: GlacierClient) async throws -> String {
        try await client.completeUpload(
            vault: TortureDirectory.vault, uploadID: upload, archiveBytes: UInt64(content.count),
            treeHash: TreeHash.hash(of: content)
        ).archiveID
    }
}
