// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Metrics
import PosixDisk
import Storage
import VaultEngine
import VaultModel

/// What the scrub and the mirror add to `/health` and `/metrics`.
extension ServiceStatus {
    private static let maxDamagedCounted = 1000

    /// Damage and a missing second copy are for somebody to act upon; the service goes on serving what it can.
    func scrubChecks() async -> [HealthReport.Check] {
        var checks: [HealthReport.Check] = []
        do {
            let damaged = try await engine.damagedArchives(in: nil, after: nil, limit: Self.maxDamagedCounted).archives.count
            checks.append(
                HealthReport.Check(
                    name: "archives", isHealthy: true, isDegraded: damaged > 0,
                    detail: damaged == 0
                        ? "none is known to be damaged"
                        : "\(damaged == Self.maxDamagedCounted ? "\(damaged) or more" : "\(damaged)") damaged: see coldvault archive damaged"))
        } catch {
            checks.append(HealthReport.Check(name: "archives", isHealthy: false, detail: "\(error)"))
        }
        for copy in engine.copyStates where copy.name != "primary" {
            checks.append(
                HealthReport.Check(name: copy.name, isHealthy: true, isDegraded: !copy.isUsable || copy.owed > 0, detail: copy.detail))
        }
        return checks
    }

    func refreshScrubGauges() async {
        // A failure shows in /health; the gauges keep their last values.
        if let status = try? await engine.scrubStatus() {
            let age = status.oldestUnverified.map { SystemTimeSource().now().since($0).components.seconds } ?? 0
            Gauge(label: "coldvault.scrub.oldest.unverified.seconds").record(max(0, age))
            for copy in status.copies where copy.name != "primary" {
                Gauge(label: "coldvault.mirror.usable").record(copy.isUsable ? 1 : 0)
                Gauge(label: "coldvault.mirror.owed").record(copy.owed)
            }
        }
        if let damaged = try? await engine.damagedArchives(in: nil, after: nil, limit: Self.maxDamagedCounted) {
            Gauge(label: "coldvault.damaged.archives").record(damaged.archives.count)
        }
    }
}
