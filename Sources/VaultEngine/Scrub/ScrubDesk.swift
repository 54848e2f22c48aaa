// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import CoreMetrics
import Storage
import Synchronization
import VaultModel

/// What the scrub is doing and was told, shared by its loop and by those who ask. What must survive a restart is a fact of the catalog; which
/// archives were verified stands in their rows.
final class ScrubDesk: Sendable {
    static let progressFact = "scrub_progress"
    static let reportFact = "scrub_report"

    enum Phase: String, Sendable { case archives, records, blobs, keys }

    struct Progress: Equatable {
        var isPaused = false
        /// A pass was asked for and has not begun.
        var isRequested = false
        var pass: UInt64 = 0
        var started: Timestamp?
        var ended: Timestamp?
        /// Nil between passes.
        var phase: Phase?
        /// The last name that the phase has done.
        var cursor: String?
        var tally = ScrubTally()
    }

    let progress = Mutex(Progress())
    let isLoaded = Atomic(false)
    let wake = WakeUp()
    private let bytes = Counter(label: "coldvault.scrub.bytes")
    private let archives = Counter(label: "coldvault.scrub.archives")
    private let failures = Counter(label: "coldvault.scrub.failures")
    private let repairs = Counter(label: "coldvault.scrub.repairs")

    func countArchive(bytes count: UInt64) {
        archives.increment()
        bytes.increment(by: Int64(clamping: count))
    }
    func countFailure() { failures.increment() }
    func countRepair() { repairs.increment() }

    var isPaused: Bool { progress.withLock { $0.isPaused } }
    var current: Progress { progress.withLock { $0 } }

    /// Once per process, before anything is changed.
    func load(from catalog: any Catalog) async throws {
        guard !isLoaded.load(ordering: .acquiring) else { return }
        if let text = try await catalog.fact(Self.progressFact), let document = try? JSONParser.parse(Array(text.utf8)) {
            progress.withLock { $0 = Progress(json: document) }
        }
        isLoaded.store(true, ordering: .releasing)
    }

    /// - Parameter audit: for a change that somebody asked for, or that begins or ends a pass; steps in between are none.
    func change(in catalog: any Catalog, audit: AuditEntries = .none, _ body: (inout Progress) -> Void) async throws {
        let changed = progress.withLock { progress in
            body(&progress)
            return progress
        }
        try await catalog.setFact(Self.progressFact, changed.json.canonicalString(), audit: audit)
    }
}

extension ScrubDesk.Progress {
    var json: JSONValue {
        [
            "paused": .bool(isPaused), "requested": .bool(isRequested), "pass": .integer(Int64(clamping: pass)),
            "started": started.map { .integer($0.milliseconds) } ?? .null, "ended": ended.map { .integer($0.milliseconds) } ?? .null,
            "phase": phase.map { .string($0.rawValue) } ?? .null, "cursor": cursor.map { .string($0) } ?? .null,
            "tally": .object(tally.json),
        ]
    }

    init(json: JSONValue) {
        func time(_ name: String) -> Timestamp? { json[name]?.integerValue.map { Timestamp(milliseconds: $0) } }
        isPaused = json["paused"]?.boolValue ?? false
        isRequested = json["requested"]?.boolValue ?? false
        pass = UInt64(clamping: json["pass"]?.integerValue ?? 0)
        started = time("started")
        ended = time("ended")
        phase = json["phase"]?.stringValue.flatMap { ScrubDesk.Phase(rawValue: $0) }
        cursor = json["cursor"]?.stringValue
        tally = json["tally"].map { ScrubTally(json: $0) } ?? ScrubTally()
    }
}
