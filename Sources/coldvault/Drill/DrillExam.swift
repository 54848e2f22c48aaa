// SPDX-License-Identifier: Apache-2.0

import PosixDisk
import SQLiteCatalog
import SealedArchive
import Storage
import VaultEngine
import VaultModel

/// Retrieves the sample from the engine that serves the recovered catalog.
struct DrillExam: Sendable {
    /// As many retrievals at once as the engine has lanes.
    static let lanes = 4

    let engine: VaultEngine
    let catalog: SQLiteCatalog
    let blobs: any BlobStore
    let clock: SystemTimeSource
    /// A catalog made out of all blobs must list what is among them; one out of a backup may be older.
    let mustKnowAll: Bool

    /// How one archive did.
    enum Verdict: Sendable {
        case verified(ManifestFacts)
        case unknown
        case deletedMeanwhile
        case failed(String)
    }

    /// The verdicts in the order of `sample`, and when the first archive and when all had come back.
    struct Marks: Sendable {
        var verdicts: [(ArchiveReference, Verdict)] = []
        var firstVerified: Duration?
        var ended: Duration = .zero
    }

    /// Runs the engine's jobs for as long as it takes.
    func run(_ sample: [ArchiveReference]) async throws -> Marks {
        try await withThrowingTaskGroup(of: Marks?.self) { group in
            group.addTask {
                try await engine.runJobsAlone()
                return nil
            }
            group.addTask { try await judge(sample) }
            var marks: Marks?
            while marks == nil, let ended = try await group.next() { marks = ended }
            group.cancelAll()
            guard let marks else { throw CancellationError() }
            return marks
        }
    }

    private func judge(_ sample: [ArchiveReference]) async throws -> Marks {
        var marks = Marks()
        try await withThrowingTaskGroup(of: (Int, Verdict, Duration).self) { group in
            var next = 0
            func begin() {
                guard next < sample.count else { return }
                let position = next
                next += 1
                group.addTask {
                    let verdict = try await judge(sample[position])
                    return (position, verdict, clock.monotonic())
                }
            }
            for _ in 0..<Self.lanes { begin() }
            var verdicts = [Verdict?](repeating: nil, count: sample.count)
            while let (position, verdict, moment) = try await group.next() {
                verdicts[position] = verdict
                if case .verified = verdict, marks.firstVerified == nil { marks.firstVerified = moment }
                begin()
            }
            for (position, verdict) in verdicts.enumerated() { if let verdict { marks.verdicts.append((sample[position], verdict)) } }
        }
        marks.ended = clock.monotonic()
        return marks
    }

    private func judge(_ reference: ArchiveReference) async throws -> Verdict {
        guard try await catalog.archive(reference.archive)?.state == .stored else {
            guard try await namesNow(reference)?.hasDeletion != true else { return .deletedMeanwhile }
            return mustKnowAll ? .failed("\(reference.archive): lies in blobs/ and was not recovered") : .unknown
        }
        do throws(VaultError) {
            return .verified(try await engine.rehearseRetrieval(reference))
        } catch {
            // A running service may have deleted it, or re-wrapped its manifest, since it was chosen.
            let now = try await namesNow(reference)
            if now?.hasDeletion == true { return .deletedMeanwhile }
            guard let newer = now?.reference, newer.generation > reference.generation else {
                return .failed("\(reference.archive): \(error.message)\(error.cause.map { " (\($0))" } ?? "")")
            }
            do throws(VaultError) {
                return .verified(try await engine.rehearseRetrieval(newer))
            } catch {
                return .failed("\(reference.archive): \(error.message)\(error.cause.map { " (\($0))" } ?? "")")
            }
        }
    }

    private func namesNow(_ reference: ArchiveReference) async throws -> ArchiveNames? {
        let prefix = BlobName.archivePrefix(
            account: reference.account.digits, vaultUID: reference.vault.bytes, archiveUID: reference.archive.bytes)
        var found: ArchiveNames?
        try await ArchiveNames.walk(blobs, prefix: prefix) { found = $0 }
        return found
    }
}
