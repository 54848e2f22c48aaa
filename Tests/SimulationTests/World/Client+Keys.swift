// SPDX-License-Identifier: Apache-2.0

import VaultModel

@testable import VaultEngine

/// What an operator does to keys, archives that are to be gone at once, and the scrub, while clients go on.
extension Client {
    // MARK: the end of keys

    /// Everything is moved off the older versions of a vault's key, or of all keys; then one of them goes.
    func rewrap(_ vault: String) async {
        let engine = engine
        let faults = world.weather.faults
        let location = world.pick(2) == 0 ? World.location(vault) : nil
        let ordered = await ask("order-rewrap") { try await engine.orderRewrap(location, perSecond: UInt32(world.pick(2) * 50)) }
        guard case .done = ordered, world.pick(3) > 0 else { return }
        for _ in 0..<60 where !world.isDead {
            let status = engine.rewrapStatus
            if status.phase == .done || status.phase == .blocked {
                world.count("rewraps \(status.phase)")
                world.check(
                    status.phase == .done || world.isExcused(since: faults) || world.areRemains(status.blockers),
                    "a re-wrap is blocked without a reason: \(status.blockers)")
                break
            }
            try? await world.simulator.sleep(for: .milliseconds(Int64(200 + world.pick(4000))))
        }
        if !world.isDead { await endKey() }
    }

    /// Asks for the end of an older version; now and then takes it back.
    func endKey() async {
        let engine = engine
        guard case .done(let keys) = await ask("list-keys", { try await engine.listKeys() }) else { return }
        var old = keys.master.filter { $0.state == .retired }.map { KeyChoice.master(version: $0.version) }
        old += keys.vaults.filter { $0.state == .retired }.map { KeyChoice.vault($0.location, version: $0.version) }
        guard !old.isEmpty else { return }
        let choice = old[world.pick(old.count)]
        // Refused: there is no certificate yet, or its vault is gone.
        let answer = await ask("end-key", refusals: [.invalidParameter, .notFound]) {
            try await engine.requestKeyDestruction(choice, wait: .seconds(Int64(world.pick(120))))
        }
        guard case .done = answer, world.pick(4) == 0 else { return }
        _ = await ask("keep-key", refusals: [.notFound]) { try await engine.cancelKeyDestruction(choice) }
    }

    // MARK: purge and scrub

    /// The bytes of a deleted archive go at once: after the answer nothing of it is left but the record of its deletion.
    func purge(in vault: String) async {
        let candidates = oracle.archives(in: vault, .deleted)
        guard !candidates.isEmpty else { return }
        let archive = candidates[max(0, candidates.count - 1 - world.pick(6))]
        oracle.purgeTried.insert(archive.id)
        let answer = await ask("purge n\(archive.attempt)", refusals: vault == "ledger" ? [.notFound, .accessDenied] : [.notFound]) {
            try await engine.purgeArchive(World.location(vault), archiveID: archive.id)
        }
        if case .done = answer { oracle.purged.insert(archive.id) }
    }

    func scrub() async {
        guard world.configuration.scrub != nil else { return }
        if world.pick(4) == 0 {
            _ = await ask("pause-scrub") { try await engine.pauseScrub() }
        } else {
            _ = await ask("start-scrub") { try await engine.startScrub() }
        }
    }
}
