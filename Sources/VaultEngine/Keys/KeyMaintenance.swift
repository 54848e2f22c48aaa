// SPDX-License-Identifier: Apache-2.0

import Logging
import Storage
import VaultModel

/// What keys need without anybody waiting for it: rotation on schedule, the re-wrap that was ordered, destructions that have become due.
/// Each step is repeatable; a crash anywhere leaves work for the next round.
struct KeyMaintenance: Sendable {
    let engine: VaultEngine

    func run() async {
        while !Task.isCancelled {
            for step in [rotateOnSchedule, workOnOrder, destroyDue] {
                do {
                    try await engine.freeingRoom(step)
                } catch {
                    if Task.isCancelled { return }
                    engine.keyDesk.update { $0.failure = "\(error)" }
                    engine.logger.error("a step of key maintenance failed and will be repeated", metadata: ["error": "\(error)"])
                }
            }
            await engine.keyDesk.wake.wait(upTo: engine.configuration.maintenanceInterval, clock: engine.clock)
        }
    }

    private func rotateOnSchedule() async throws {
        let age = engine.configuration.masterKeyRotation
        let current = engine.keyring.currentMaster
        guard age > .zero, current.created.advanced(by: age) <= engine.clock.now() else { return }
        // A clock that was set ahead would make versions without need.
        guard try await engine.clockKeeper.reading().isTrusted else { return }
        let report = try await engine.rotateMasterKey(by: .service)
        engine.logger.notice(
            "the master key was rotated on schedule: copy the keyring",
            metadata: ["version": "\(report.newVersion)", "vaultKeys": "\(report.rewrappedVaultKeys)"])
    }

    // MARK: the order

    private func workOnOrder() async throws {
        guard let text = try await engine.catalog.fact(KeyDesk.orderFact), let order = RewrapOrder(text: text) else { return }
        do {
            let end = try await pass(order)
            engine.keyDesk.update {
                $0.phase = end
                $0.failure = nil
            }
            // Another order may have come meanwhile: it stays.
            guard end != .waiting, try await engine.catalog.fact(KeyDesk.orderFact) == text else { return }
            let status = engine.keyDesk.status
            // One entry for the whole of it: what each batch moved is in the counts, which begin anew when the service starts.
            let audit = try engine.audit(
                AuditAct(
                    .key, "key:EndRewrap", by: .service, on: order.vault.map { "vault \($0)" } ?? "all keys", status.counts(end)))
            try await engine.catalog.setFact(KeyDesk.orderFact, "", audit: audit)
            engine.logger.notice(
                "a re-wrap has ended",
                metadata: ["phase": "\(end.rawValue)", "archives": "\(status.archives)", "certificates": "\(status.certificates)"])
        } catch {
            engine.keyDesk.update { $0.phase = .failed }
            throw error
        }
    }

    /// Once over everything that the order names. `.waiting` means: again, a little later.
    private func pass(_ order: RewrapOrder) async throws -> RewrapStatus.Phase {
        let pace = RewrapPace(perSecond: order.perSecond, clock: engine.clock)
        engine.keyDesk.update {
            $0.phase = .moving
            $0.blockers = []
        }
        var (isWaiting, isBlocked) = (false, false)
        func note(_ found: (isWaiting: Bool, blockers: [String])) {
            isWaiting = isWaiting || found.isWaiting
            isBlocked = isBlocked || !found.blockers.isEmpty
            engine.keyDesk.update { $0.blockers = Array(($0.blockers + found.blockers).prefix(10)) }
        }
        if let uid = order.vault {
            note(try await pass(over: uid, pace))
        } else {
            var uids: [VaultUID] = []
            // At most two keys of 16 bytes for each vault of the service.
            try await engine.forEachVault { if $0.keys.count > 1 { uids.append($0.uid) } }
            for uid in uids { note(try await pass(over: uid, pace)) }
            note(try await passOverMaster())
        }
        return isWaiting ? .waiting : isBlocked ? .blocked : .done
    }

    private func pass(over uid: VaultUID, _ pace: RewrapPace) async throws -> (isWaiting: Bool, blockers: [String]) {
        let rows = try await KeyRewrapper(engine: engine, pace: pace).move(uid)
        let found = try await KeySweep(engine: engine, pace: pace).sweep(uid)
        engine.keyDesk.update { $0.blobsRead += found.read }
        guard let vault = try await engine.catalog.vault(uid), let newest = vault.keys.last?.version else { return (false, []) }
        for key in vault.keys where key.version != newest && found.naming[key.version, default: 0] == 0 {
            try await engine.certify(.vault(uid, version: key.version), found, replacedBy: newest, of: vault)
        }
        let isLeft = vault.keys.contains { $0.version != newest && found.naming[$0.version, default: 0] > 0 }
        return (isLeft && found.acted > 0 || rows.moved > 0 && isLeft, found.blockers + rows.failed)
    }

    private func passOverMaster() async throws -> (isWaiting: Bool, blockers: [String]) {
        _ = try await engine.rewrapEverything()
        let found = try await MasterSweep(engine: engine).sweep()
        engine.keyDesk.update { $0.blobsRead += found.read }
        let newest = engine.keyring.currentMaster.version
        let old = engine.keyring.masterKeys.map(\.version).filter { $0 != newest }
        for version in old where found.naming[version, default: 0] == 0 {
            try await engine.certify(.master(version: version), found, replacedBy: newest, of: nil)
        }
        return (found.acted > 0 && old.contains { found.naming[$0, default: 0] > 0 }, found.blockers)
    }

    // MARK: destructions

    func destroyDue() async throws {
        // What one of two histories calls unused may be what the other needs.
        guard engine.checkpoints.history.isConsistent else { return }
        let now = engine.clock.now()
        var after: KeyVersionName?
        while true {
            let page = try await engine.catalog.keyDestructions(after: after, limit: 200)
            for row in page where row.finished == nil {
                guard let due = row.due, due <= now else { continue }
                do {
                    try await engine.destroy(row)
                } catch {
                    if Task.isCancelled { throw error }
                    engine.logger.error(
                        "a key version could not be destroyed; it will be tried again",
                        metadata: ["key": "\(row.key)", "error": "\(error)"])
                }
            }
            guard page.count == 200, let last = page.last else { return }
            after = last.key
        }
    }
}
