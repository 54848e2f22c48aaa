// SPDX-License-Identifier: Apache-2.0

import Logging
import Storage
import Synchronization
import VaultModel

/// Takes denials in without waiting and writes them once a second.
final class DenialDesk: Sendable {
    static let interval: Duration = .seconds(1)
    private let folder = Mutex(DenialFolder(overflowOf: "requests that were denied and not itemised"))
    /// Requests of strangers have a list of their own: whoever needs no key to be refused must not crowd out what keys were refused.
    private let strangers = Mutex(DenialFolder(overflowOf: "requests that failed authentication and were not itemised"))

    func note(_ key: DenialFolder.Key, account: AccountID?, at now: Timestamp) {
        folder.withLock { $0.add(key, account: account, at: now) }
    }

    func note(_ request: RefusedRequest, at now: Timestamp) {
        let key = DenialFolder.Key(
            actor: .stranger(accessKeyID: request.accessKeyID, sourceAddress: request.sourceAddress),
            action: request.action?.policyName ?? "glacier:Unknown", resource: "service", statement: request.reason.rawValue)
        strangers.withLock { $0.add(key, account: nil, at: now) }
    }

    /// How many different denials are remembered.
    var remembered: Int { folder.withLock { $0.remembered } + strangers.withLock { $0.remembered } }

    /// Writes what is due in one commit; what cannot be written is counted on.
    func flush(into engine: VaultEngine, always: Bool = false) async {
        await write(folder, into: engine, always: always)
        await write(strangers, into: engine, always: always)
    }

    private func write(_ folder: borrowing Mutex<DenialFolder>, into engine: VaultEngine, always: Bool) async {
        let now = engine.clock.now()
        let acts = folder.withLock { $0.due(at: now, always: always) }
        guard !acts.isEmpty else { return }
        do {
            try await engine.catalog.appendAudit(try engine.audit(acts))
        } catch {
            folder.withLock { $0.restore(acts, at: now) }
            engine.logger.error(
                "denied requests could not be written into the audit log; they are counted and tried again",
                metadata: ["count": "\(acts.count)", "error": "\(error)"])
        }
    }

    /// Until cancelled; then once more.
    func run(for engine: VaultEngine) async {
        while !Task.isCancelled {
            await flush(into: engine)
            // Cancelled while asleep: the loop's condition sees it.
            try? await engine.clock.sleep(for: Self.interval)
        }
        await flush(into: engine, always: true)
    }
}
