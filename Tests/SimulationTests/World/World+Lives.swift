// SPDX-License-Identifier: Apache-2.0

import Execution
import SQLiteCatalog
import StorageLaws
import VaultModel

@testable import VaultEngine

extension World {
    /// How a life of the service is to end.
    enum End { case stop, kill, powerCut }

    private static let clients = 3
    private static let maxSteps = 3_000_000

    /// Initialises the service, lets it live `lives` troubled lives and a last good one, and audits everything.
    func run(lives: Int, operations: Int) {
        phase("init") { try await Service.initialise(self) }
        for number in 0..<lives where violations.isEmpty { live(number, operations: operations) }
        guard violations.isEmpty else { return }
        note("last life")
        weather.weather = .good
        transport.failures = 0
        let faults = weather.faults
        phase("last life") { try await self.lastLife() }
        check(weather.faults == faults, "the last life was to have good weather")
        check(simulator.strangers == 0, "\(simulator.strangers) steps came from another thread: the order is not the seed's")
    }

    /// Everything in `body` to its end; what it throws is a violation.
    func phase(_ name: String, _ body: @escaping @Sendable () async throws -> Void) {
        do throws(Simulator.Failure) {
            try simulator.run(maxSteps: Self.maxSteps) { [self] in
                await withTaskExecutor(simulator) {
                    do {
                        try await body()
                    } catch {
                        violation("\(name): \(error)")
                    }
                }
            }
        } catch {
            violation("\(name): \(error)")
        }
    }

    // MARK: a troubled life

    private func live(_ number: Int, operations: Int) {
        let end: End = isPeaceful ? .stop : [.stop, .kill, .kill, .powerCut, .powerCut, .powerCut][pick(6)]
        weather.weather = isPeaceful ? .good : .random(&choices)
        weather.isPoisoned = false
        transport.failures = [0, 0, 200][pick(3)]
        note("life \(number): \(end), \(weather.weather)")
        count("lives")
        // Every eighth ends while it begins; in a quarter of the cases the power goes in the middle of a disk call.
        let isEarly = pick(8) == 0
        switch (end, pick(4)) {
        case (.stop, _): break
        case (_, 0): disk.cutPower(atOperation: disk.operationCount + 1 + pick(isEarly ? 40 : 1500))
        default:
            let last = simulator.steps + 1 + pick(isEarly ? 300 : 30_000)
            simulator.betweenSteps = { [self] in
                if simulator.steps >= last, !isDead { disk.cutPower() }
                if isDead { bell.ring() }
            }
        }
        if simulator.betweenSteps == nil {
            simulator.betweenSteps = { [self] in if isDead { bell.ring() } }
        }
        bell.reset()
        phase("life \(number)") { await self.life(operations: operations) }
        simulator.betweenSteps = nil
        note("end of life \(number)")
        switch (isDead, end) {
        case (true, .powerCut):
            count("power cuts")
            disk.restorePower(seed: choices.next())
        case (true, _):
            count("deaths of the process")
            disk.restartProcess()
        case (false, _):
            count("orderly stops")
            check(disk.openFileCount == 0, "\(disk.openFileCount) files are open after an orderly stop")
            if Bool.random(using: &choices) { disk.restorePower(seed: choices.next()) } else { disk.restartProcess() }
        }
        collectSalts()
        rebuild(after: end)
        simulator.pass([.zero, .seconds(5), .seconds(600), .seconds(9000)][pick(4)])
    }

    /// Between two lives the catalog is made again out of the blobs, and thrown away.
    private func rebuild(after end: End) {
        weather.weather = .good
        if isPeaceful {
            phase("rebuild") { try await self.checkRebuildEquals() }
        } else if end != .stop, pick(2) == 0 {
            phase("rebuild") { try await self.checkRebuildKnowsWhatWasAcknowledged() }
        }
    }

    private func life(operations: Int) async {
        let faults = weather.faults
        guard let service = await boot(since: faults) else { return }
        // A second process over the same catalog, now and then: the leases of the first are void from then on.
        var engines = [service.engine]
        if pick(3) == 0, let second = await boot(since: faults, sharing: service) { engines.append(second.engine) }
        let all = engines
        await withTaskGroup(of: Void.self) { group in
            for (place, engine) in all.enumerated() {
                group.addTask { [self] in
                    // The second comes while the first is at work.
                    if place > 0 { try? await simulator.sleep(for: .seconds(Int64(pick(40)))) }
                    await serve(engine, since: faults)
                }
            }
            group.addTask { [self] in
                await withTaskGroup(of: Void.self) { clients in
                    for number in 0..<Self.clients {
                        clients.addTask { [self] in
                            await Client(world: self, engines: all, number: number).run(operations: operations)
                        }
                    }
                }
                bell.ring()
            }
            await bell.wait()
            group.cancelAll()
        }
        if !isDead, weather.faults == faults {
            for engine in all {
                check(
                    engine.budget.freeBytes == configuration.memoryBudgetBytes,
                    "working memory was not given back: \(engine.budget.freeBytes) of \(configuration.memoryBudgetBytes) are free")
            }
        }
        await service.catalog.close()
    }

    /// A start in bad weather may fail; then the next life tries again.
    private func boot(since faults: Int, sharing first: Service? = nil) async -> Service? {
        do {
            let service = try await Service.open(self, sharing: first?.catalog)
            _ = try await service.engine.confirmClock()
            return service
        } catch {
            note("start failed: \(error)")
            check(isExcused(since: faults), "the service does not start: \(error)")
            return nil
        }
    }

    func serve(_ engine: VaultEngine, since faults: Int) async {
        do {
            try await engine.run()
        } catch {
            check(Task.isCancelled || isExcused(since: faults), "the engine ended: \(error)")
        }
    }

    /// Whether a failure may be the weather's.
    func isExcused(since faults: Int) -> Bool { isDead || weather.isPoisoned || weather.faults > faults }
}

/// Rings once for whoever waits: the end of a life. On the simulator's thread alone.
final class Bell: @unchecked Sendable {
    private var hasRung = false
    private var waiter: CheckedContinuation<Void, Never>?

    func reset() { hasRung = false }

    func ring() {
        guard !hasRung else { return }
        hasRung = true
        waiter?.resume()
        waiter = nil
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            if hasRung { continuation.resume() } else { waiter = continuation }
        }
    }
}
