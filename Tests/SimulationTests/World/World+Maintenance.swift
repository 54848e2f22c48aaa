// SPDX-License-Identifier: Apache-2.0

import Storage
import StorageLaws
import VaultModel

@testable import VaultEngine

/// What must be possible whatever has happened, once the weather is good.
extension World {
    /// Every key is renewed, everything moved to the new versions, and all older ones destroyed: within an hour of virtual time.
    func renewEveryKey(_ engine: VaultEngine) async throws {
        for vault in Self.vaults { _ = try await engine.rotateVaultKey(Self.location(vault)) }
        _ = try await engine.rotateMasterKey()
        _ = try await engine.orderRewrap(nil, perSecond: 0)
        try await wait("the re-wrap") { [.done, .blocked].contains(engine.rewrapStatus.phase) }
        let status = engine.rewrapStatus
        guard status.phase == .done else {
            count("re-wraps blocked by remains")
            return check(areRemains(status.blockers), "a re-wrap in good weather is \(status.phase): \(status.blockers)")
        }
        for choice in try await oldKeys(engine) { _ = try await engine.requestKeyDestruction(choice, wait: .zero) }
        try await wait("the end of the old keys") { try await self.oldKeys(engine).isEmpty }
        count("worlds whose keys were all renewed")
    }

    /// What a crash has left of archives that nobody was told of keeps an old key, until the operator has looked at it.
    func areRemains(_ blockers: [String]) -> Bool {
        !isPeaceful && !blockers.isEmpty && blockers.allSatisfy { $0.hasSuffix("the catalog does not know its archive") }
    }

    private func oldKeys(_ engine: VaultEngine) async throws -> [KeyChoice] {
        let keys = try await engine.listKeys()
        return keys.master.filter { $0.state == .retired || $0.state == .destroying }.map { .master(version: $0.version) }
            + keys.vaults.filter { $0.state == .retired || $0.state == .destroying }.map { .vault($0.location, version: $0.version) }
    }

    /// A whole pass over everything finds no damage: what the medium said wrongly once is no damage.
    func scrubEverything(_ engine: VaultEngine) async throws {
        let pass = try await engine.startScrub().pass
        try await wait("the scrub") {
            let status = try await engine.scrubStatus()
            return status.pass > pass && status.activity == .waiting
        }
        let damaged = try await engine.damagedArchives(in: nil, after: nil, limit: 10).archives
        check(damaged.isEmpty, "the scrub finds damage: \(damaged.map(\.reason))")
        let tally = try await engine.scrubStatus().tally
        check(tally.failures == 0, "the scrub finds what does not verify: \(tally.findings.prefix(5))")
        count("scrubs of everything")
    }

    private func wait(_ what: String, _ isSo: () async throws -> Bool) async throws {
        let deadline = clock.now().advanced(by: .seconds(3600))
        while clock.now() < deadline {
            if try await isSo() { return }
            try await simulator.sleep(for: .seconds(5))
        }
        violation("\(what) does not end")
    }

    /// Of what was purged nothing is left but the record that it was deleted.
    func checkPurged(_ engine: VaultEngine) async throws {
        guard !oracle.purged.isEmpty else { return }
        // What a re-wrap or an upload under way left behind goes after its grace.
        try await simulator.sleep(for: .seconds(300))
        let names = disk.contents.keys.filter { $0.hasPrefix("\(dataPath)/blobs/") }.sorted()
        for id in oracle.purged.sorted() {
            guard let parsed = engine.keyring.identifiers.parse(id, kind: .archive, account: Self.account) else { continue }
            let uid = ArchiveUID(words: parsed.uid).hex
            let left = names.filter { $0.contains(uid) && !$0.contains("deletion-") }
            check(left.isEmpty, "n\(oracle.archives[id]?.attempt ?? -1) was purged and there is \(left)")
            count("purged archives looked for")
        }
    }
}
