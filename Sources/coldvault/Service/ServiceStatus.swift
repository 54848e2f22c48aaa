// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Metrics
import Observability
import PosixDisk
import Storage
import VaultEngine
import VaultModel

/// What `/health` and `/metrics` ask of the engine.
struct ServiceStatus: Sendable {
    let engine: VaultEngine

    /// Healthy when the catalog answers and the store can be measured.
    func health() async -> HealthReport {
        var checks: [HealthReport.Check] = []
        do {
            try await engine.ping()
            checks.append(HealthReport.Check(name: "catalog", isHealthy: true, detail: "answers"))
        } catch {
            checks.append(HealthReport.Check(name: "catalog", isHealthy: false, detail: "\(error)"))
        }
        do {
            let free = try await engine.availableBytes()
            checks.append(
                HealthReport.Check(
                    name: "space", isHealthy: free > 0,
                    detail: free > 0
                        ? "\(free) bytes beyond the reserve" : "no room for new archives beyond the reserve; free space or grow the disk"))
        } catch {
            checks.append(HealthReport.Check(name: "space", isHealthy: false, detail: "\(error)"))
        }
        do {
            let clock = try await engine.clockStatus()
            // Everything but deletions in locked vaults goes on, so that a doubtful clock does not take the service out of service.
            checks.append(
                HealthReport.Check(
                    name: "clock", isHealthy: true,
                    detail: clock.isTrusted
                        ? "trusted" : "runs ahead: deletions in locked vaults wait; set it right, then run coldvault clock confirm"))
        } catch {
            checks.append(HealthReport.Check(name: "clock", isHealthy: false, detail: "\(error)"))
        }
        let history = engine.historyState()
        checks.append(
            HealthReport.Check(
                name: "history", isHealthy: history.isConsistent,
                detail: history.isConsistent
                    ? history.text : "\(history.text); nothing is removed until: coldvault checkpoint confirm"))
        checks += await scrubChecks()
        if let check = await backupCheck() { checks.append(check) }
        return HealthReport(version: ServiceVersion.text, checks: checks)
    }

    /// Nil without a schedule. A schedule that is not kept takes the service out of health: what it acknowledges has one copy less than its
    /// operator believes.
    private func backupCheck() async -> HealthReport.Check? {
        do {
            let status = try await engine.backupStatus()
            guard status.interval != nil else { return nil }
            let newest = status.newest.map { "newest of \($0.iso8601Seconds)" } ?? "none yet"
            return HealthReport.Check(
                name: "backup", isHealthy: status.isHealthy(at: SystemTimeSource().now()),
                detail: status.failure.map { "\(newest); the last attempt failed: \($0)" } ?? newest)
        } catch {
            return HealthReport.Check(name: "backup", isHealthy: false, detail: "\(error)")
        }
    }

    /// Gauges are read when somebody looks.
    func refreshGauges() async {
        // A failure shows in /health; the gauges keep their last values.
        if let totals = try? await engine.totals() {
            Gauge(label: "coldvault.vaults").record(totals.vaults)
            Gauge(label: "coldvault.archives").record(totals.archives)
            Gauge(label: "coldvault.archive.bytes").record(totals.bytes)
            Gauge(label: "coldvault.open.uploads").record(totals.openUploads)
            Gauge(label: "coldvault.queued.jobs").record(totals.queuedJobs)
            Gauge(label: "coldvault.doomed.blobs").record(totals.doomedBlobs)
            Gauge(label: "coldvault.waiting.messages").record(totals.waitingMessages)
            Gauge(label: "coldvault.dead.messages").record(totals.deadMessages)
        }
        Gauge(label: "coldvault.history.consistent").record(engine.historyState().isConsistent ? 1 : 0)
        await refreshScrubGauges()
        if let clock = try? await engine.clockStatus() { Gauge(label: "coldvault.clock.trusted").record(clock.isTrusted ? 1 : 0) }
        if let newest = try? await engine.backupStatus().newest {
            Gauge(label: "coldvault.backup.age.seconds").record(SystemTimeSource().now().since(newest).components.seconds)
        }
        if let free = try? await engine.availableBytes() { Gauge(label: "coldvault.available.bytes").record(free) }
    }
}

/// Help texts of what is measured (Docs/Operations/Metrics.md).
enum ServiceMetrics {
    static let descriptions = [
        MetricDescription(name: "coldvault.vaults", help: "Vaults of all accounts."),
        MetricDescription(name: "coldvault.archives", help: "Archives that are not deleted."),
        MetricDescription(name: "coldvault.archive.bytes", help: "Their true bytes."),
        MetricDescription(name: "coldvault.open.uploads", help: "Multipart uploads in progress."),
        MetricDescription(name: "coldvault.queued.jobs", help: "Jobs that wait or run."),
        MetricDescription(name: "coldvault.doomed.blobs", help: "Blobs that wait for their removal."),
        MetricDescription(name: "coldvault.waiting.messages", help: "Messages that are not delivered yet."),
        MetricDescription(name: "coldvault.dead.messages", help: "Messages that were given up."),
        MetricDescription(name: "coldvault.messages.delivered", help: "Messages that their targets took."),
        MetricDescription(name: "coldvault.message.delivery.failures", help: "Attempts to deliver that failed."),
        MetricDescription(name: "coldvault.messages.given.up", help: "Messages that became dead letters."),
        MetricDescription(name: "coldvault.dead.messages.dropped", help: "Dead letters dropped because their account had too many."),
        MetricDescription(name: "coldvault.available.bytes", help: "Room for archives, the reserve not counted."),
        MetricDescription(name: "coldvault.clock.trusted", help: "0 while deletions in locked vaults wait for a confirmation of the clock."),
        MetricDescription(name: "coldvault.history.consistent", help: "0 while catalog and blobs are of different histories."),
        MetricDescription(name: "coldvault.rewrapped.archives", help: "Archives moved to a newer version of their vault's key."),
        MetricDescription(name: "coldvault.scrub.bytes", help: "Bytes of archives that were verified."),
        MetricDescription(name: "coldvault.scrub.archives", help: "Verifications of archives that came to an end."),
        MetricDescription(name: "coldvault.scrub.failures", help: "Things found damaged on every copy, or that could not be repaired."),
        MetricDescription(name: "coldvault.scrub.repairs", help: "Copies that were made good from another."),
        MetricDescription(
            name: "coldvault.scrub.oldest.unverified.seconds", help: "Age of the oldest byte that was not verified since."),
        MetricDescription(name: "coldvault.damaged.archives", help: "Archives that did not verify; counted up to a thousand."),
        MetricDescription(name: "coldvault.mirror.usable", help: "0 while the mirror is away."),
        MetricDescription(name: "coldvault.mirror.owed", help: "Writes and deletions that the mirror has missed."),
        MetricDescription(name: "coldvault.backup.age.seconds", help: "Since the newest catalog backup was made; absent when there is none."),
        MetricDescription(name: "coldvault.access.denied", help: "Requests that policies denied."),
        MetricDescription(name: "coldvault.log.dropped.lines", help: "Log lines lost because standard error did not keep up."),
        MetricDescription(name: "coldvault.requests.throttled", help: "Requests beyond their account's limits."),
        MetricDescription(name: "coldvault.connections.evicted", help: "Waiting connections closed to make room."),
        MetricDescription(name: "coldvault.connections.refused", help: "Connections refused for want of room."),
        MetricDescription(name: "coldvault.requests", help: "Requests answered, by operation and status."),
        MetricDescription(name: "coldvault.request.duration", help: "From a request's head to the end of its answer."),
    ]
}
