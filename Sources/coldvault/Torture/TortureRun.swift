// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Execution
import Foundation
import PosixDisk
import UnixSignals
import VaultClient

/// Threads, directory and signals of one torture command.
struct TortureSession: Sendable {
    let directory: TortureDirectory
    let pool: BlockingPool

    static func run(_ options: TortureOptions, _ body: @escaping @Sendable (TortureSession) async throws -> Void) async throws {
        ProcessHardening.ignoreBrokenPipes()
        try await OperatorExit.run {
            let pool = BlockingPool(name: "torture", threads: 8)
            let session = TortureSession(directory: TortureDirectory(path: options.dataDir), pool: pool)
            do {
                try await untilSignal { try await body(session) }
            } catch {
                await pool.shutdown()
                throw error
            }
            await pool.shutdown()
        }
    }

    /// SIGINT and SIGTERM cancel, so that no child is left behind.
    private static func untilSignal(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask { for await _ in signals { break } }
            defer { group.cancelAll() }
            // Whichever comes first; a body that was cancelled ends in order.
            try await group.next()
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    /// Prints what was found, and leaves the evidence.
    func finish(_ report: JSONValue, evidence: String?) async throws {
        let line = report.canonicalBytes() + [0x0A]
        switch evidence {
        case "-": try StandardOutput.write(line)
        case let path?:
            try await pool.run {
                let handle = try TortureDirectory.newFile(path)
                try handle.write(contentsOf: Data(line))
                try handle.synchronize()
                try handle.close()
            }
        case nil: break
        }
        if evidence != "-" {
            let names = ["kills", "events", "verifiedArchives", "verifiedBytes", "losses"]
            for name in names {
                try StandardOutput.write(line: "\(name): \(report[name]?.integerValue ?? 0)")
            }
        }
    }
}

/// One run: rounds of work, death, restart and audit.
struct TortureRun {
    private let session: TortureSession
    private let options: TortureOptions
    private let ledger: TortureLedger
    private let seed: UInt64
    private var numbers: SeededNumbers
    private var known: Set<String> = []
    private var kills = 0
    private var verifiedArchives = 0
    private var verifiedBytes = 0
    private(set) var findings: [TortureFinding] = []
    private let clock = ContinuousClock()
    private let began: ContinuousClock.Instant

    init(session: TortureSession, options: TortureOptions, ledger: TortureLedger, seed: UInt64) {
        self.session = session
        self.options = options
        self.ledger = ledger
        self.seed = seed
        numbers = SeededNumbers(seed: seed)
        began = clock.now
    }

    mutating func killAgainAndAgain(rounds: Int, within limit: Duration?) async throws {
        for round in 1...rounds {
            guard findings.isEmpty, !Task.isCancelled, limit.map({ clock.now - began < $0 }) ?? true else { break }
            try await oneKill(isFirst: round == 1)
            StandardError.write("kill \(round): \(await ledger.facts.certain.count) archives, \(findings.count) losses\n")
        }
        guard findings.isEmpty else { return }
        try await withService { run, service in try await run.audit(service, everything: true) }
    }

    private mutating func oneKill(isFirst: Bool) async throws {
        // Mostly soon, now and then late; sometimes so soon that it has not found its feet.
        let longest = [5, 300, 1500].randomElement(using: &numbers) ?? 300
        let life = Duration.milliseconds(Int.random(in: 1...longest, using: &numbers))
        let workSeed = numbers.next()
        let service = try await start()
        do {
            if isFirst { _ = try await service.client.createVault(TortureDirectory.vault) }
            try await work(on: service, seed: workSeed, for: life)
        } catch {
            await service.kill()
            throw error
        }
        kills += 1
        try await withService { run, service in try await run.audit(service, everything: false) }
    }

    /// Works until the service is killed after `life`.
    private mutating func work(on service: TortureService, seed: UInt64, for life: Duration) async throws {
        let workload = TortureWorkload(
            client: service.client, ledger: ledger, workers: options.workers, largest: options.largestBytes, deletionPause: .zero)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await workload.run(seed: seed) }
                // A cancelled sleep only kills it sooner.
                try? await Task.sleep(for: life, clock: .continuous)
                await service.kill()
                try await group.waitForAll()
            }
        } catch let finding as TortureFinding {
            findings.append(finding)
        }
    }

    /// Works until `limit`, SIGINT, or the end of the machine.
    mutating func write(for limit: Duration?, deletionPause: Duration) async throws {
        let service = try await start()
        let workload = TortureWorkload(
            client: service.client, ledger: ledger, workers: options.workers, largest: options.largestBytes,
            deletionPause: deletionPause)
        let workSeed = numbers.next()
        do {
            _ = try await service.client.createVault(TortureDirectory.vault)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await workload.run(seed: workSeed) }
                group.addTask { try await Task.sleep(for: limit ?? .seconds(365 * 86_400), clock: .continuous) }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch let finding as TortureFinding {
            findings.append(finding)
        } catch is CancellationError {
            // The person at the keyboard has seen enough.
        }
        _ = await service.stop()
    }

    mutating func check() async throws {
        try await withService { run, service in try await run.audit(service, everything: true) }
    }

    private func start() async throws -> TortureService {
        try await TortureService.start(session.directory, flags: options.serviceFlags, pool: session.pool)
    }

    /// A service that does not start, or breaks off, is a finding and not the end of the report.
    private mutating func withService(_ body: (inout TortureRun, TortureService) async throws -> Void) async throws {
        do {
            let service = try await start()
            do {
                try await body(&self, service)
            } catch {
                await service.kill()
                throw error
            }
            let status = await service.stop()
            if status != 0 { findings.append(TortureFinding("the service ended with status \(status) when it was asked to stop")) }
        } catch let finding as TortureFinding {
            findings.append(finding)
        } catch let error as ClientError where !Task.isCancelled {
            findings.append(TortureFinding("the service failed under the audit: \(error)"))
        }
    }

    private mutating func audit(_ service: TortureService, everything: Bool) async throws {
        let audit = TortureAudit(client: service.client, ledger: ledger)
        let result = try await audit.run(known: known, everything: everything, &numbers)
        known.formUnion(await ledger.facts.certain)
        verifiedArchives += result.verifiedArchives
        verifiedBytes += result.verifiedBytes
        findings += result.findings
        for finding in result.findings { StandardError.write("LOSS: \(finding)\n") }
    }

    /// The evidence.
    func report(of kind: String) async -> JSONValue {
        let facts = await ledger.facts
        return [
            "archives": .integer(Int64(facts.archives.count)), "deleted": .integer(Int64(facts.deleted.count)),
            "directory": .string(session.directory.path), "events": .integer(Int64(await ledger.events)),
            "findings": .array(findings.map { .string($0.description) }), "format": "coldvault-torture",
            "kills": .integer(Int64(kills)), "kind": .string(kind), "losses": .integer(Int64(findings.count)),
            "seconds": .integer((clock.now - began).components.seconds), "seed": .string(String(seed)),
            "verifiedArchives": .integer(Int64(verifiedArchives)), "verifiedBytes": .integer(Int64(verifiedBytes)),
            "version": .string(ServiceVersion.text),
        ]
    }
}
