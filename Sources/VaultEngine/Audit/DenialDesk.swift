// SPDX-License-Identifier: Apache-2.0

import Logging
import Storage
import Synchronization
import VaultModel

/// Takes denials in without waiting and writes them once a second.
final class DenialDesk: Sendable {
    static let interval: Duration = .seconds(1)
    private let folder = Mutex(DenialFolder())

    func note(_ key: DenialFolder.Key, account: AccountID?, at now: Timestamp) {
        folder.withLock { $0.add(key, account: account, at: now) }
    }

    /// Writes what is due in one commit; what cannot be written is counted on.
    func flush(into engine: VaultEngine, always: Bool = false) async {
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
