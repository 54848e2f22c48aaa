// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import VaultEngine
import VaultModel

/// What a drill saw and measured; ``body`` is what the service signs (Docs/Operations/Drill.md).
struct DrillOutcome: Sendable {
    /// Archives that the evidence names one by one; of more, the counts.
    private static let maxListed = 1000
    private static let maxFailures = 100

    /// One archive that came back equal.
    struct Verified: Sendable {
        let reference: ArchiveReference
        let facts: ManifestFacts
    }

    let began: Timestamp
    let seed: UInt64
    let requested: Int

    // Before the loss.
    var archives: UInt64 = 0
    var chosen = 0
    var surveying: Duration = .zero

    // The recovery; durations count from the loss.
    var source: [String: JSONValue] = [:]
    var recoveredArchives: UInt64 = 0
    var recoveredVaults: UInt64 = 0
    var untilCatalog: Duration?
    var untilReady: Duration?
    var untilFirst: Duration?
    var untilSample: Duration?

    // The sample.
    var verified: [Verified] = []
    var verifiedBytes: UInt64 = 0
    var unknown = 0
    var deletedMeanwhile = 0

    // Against blobs and live catalog.
    var difference = CatalogDifference()
    var undatedLosses: UInt64 = 0
    var oldestLost: Timestamp?
    var newestLost: Timestamp?
    var backupMade: Timestamp?
    var live: JSONValue = .null

    private(set) var failureCount = 0
    private(set) var failures: [String] = []
    var engineErrors: [String] = []

    init(began: Timestamp, seed: UInt64, requested: Int) {
        self.began = began
        self.seed = seed
        self.requested = requested
    }

    var passed: Bool { failureCount == 0 }

    mutating func fail(_ reason: String) {
        failureCount += 1
        if failures.count < Self.maxFailures { failures.append(reason) }
    }

    /// An archive that blobs/ has and the recovered catalog has not; nil: its moment is unknown.
    mutating func lost(_ created: Timestamp?) {
        guard let created else {
            undatedLosses += 1
            return
        }
        oldestLost = oldestLost.map { min($0, created) } ?? created
        newestLost = newestLost.map { max($0, created) } ?? created
    }

    /// The document, without what only the caller knows.
    var body: [String: JSONValue] {
        [
            "began": .integer(began.milliseconds), "drillVersion": 1, "engineErrors": .array(engineErrors.map { .string($0) }),
            "failureCount": .integer(Int64(failureCount)), "failures": .array(failures.map { .string($0) }), "live": live,
            "passed": .bool(passed),
            "recovered": [
                "archives": Self.number(recoveredArchives), "goneArchives": Self.number(difference.gone),
                "surplusArchives": Self.number(difference.deleted), "vaults": Self.number(recoveredVaults),
            ],
            "rpo": rpo,
            "rto": [
                "catalogMilliseconds": Self.milliseconds(untilCatalog), "firstArchiveMilliseconds": Self.milliseconds(untilFirst),
                "readyMilliseconds": Self.milliseconds(untilReady), "sampleMilliseconds": Self.milliseconds(untilSample),
            ],
            "sample": sample, "seed": .string(String(seed)), "source": .object(source),
            "survey": ["archives": Self.number(archives), "milliseconds": Self.milliseconds(surveying)],
            "version": .string(ServiceVersion.text),
        ]
    }

    private var rpo: JSONValue {
        func age(_ moment: Timestamp?) -> JSONValue { moment.map { .integer(max(0, began.milliseconds - $0.milliseconds)) } ?? .null }
        return [
            "backupAgeMilliseconds": age(backupMade), "lostArchives": Self.number(difference.missing),
            "milliseconds": oldestLost == nil ? (difference.missing == 0 ? 0 : age(backupMade)) : age(oldestLost),
            "newestLostAgeMilliseconds": age(newestLost), "oldestLostAgeMilliseconds": age(oldestLost),
            "undatedLosses": Self.number(undatedLosses),
        ]
    }

    private var sample: JSONValue {
        let listed = verified.sorted { $0.reference.archive < $1.reference.archive }.prefix(Self.maxListed)
        return [
            "archives": .array(
                listed.map {
                    [
                        "archiveId": .string($0.facts.archiveID), "bytes": Self.number($0.facts.bytes),
                        "treeHash": .string($0.facts.treeHash.hex), "vault": .string($0.reference.vault.hex),
                    ]
                }),
            "bytes": Self.number(verifiedBytes), "chosen": .integer(Int64(chosen)), "deletedMeanwhile": .integer(Int64(deletedMeanwhile)),
            "requested": .integer(Int64(requested)), "unknown": .integer(Int64(unknown)), "verified": .integer(Int64(verified.count)),
        ]
    }

    private static func number(_ value: UInt64) -> JSONValue { .integer(Int64(clamping: value)) }

    private static func milliseconds(_ duration: Duration?) -> JSONValue {
        duration.map { .integer($0.wholeMilliseconds) } ?? .null
    }
}

extension Duration {
    /// Rounded down.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
