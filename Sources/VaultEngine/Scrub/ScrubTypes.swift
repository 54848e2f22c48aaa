// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
public import Storage
public import VaultModel

/// How hard the scrub may work; both limits are kept.
public struct ScrubConfiguration: Sendable, Hashable {
    /// Read from the stores, over any longer span; nil: no limit.
    public var bytesPerSecond: UInt64?
    /// Of one core; 100: no limit.
    public var cpuPercent: Int
    /// A pass over everything begins so long after the last one began.
    public var period: Duration
    /// A blob that nobody names is reported when it was found so twice, and so far apart.
    public var unnamedAge: Duration = .seconds(24 * 3600)

    public init(bytesPerSecond: UInt64? = 32 << 20, cpuPercent: Int = 10, period: Duration = .seconds(30 * 86_400)) {
        self.bytesPerSecond = bytesPerSecond
        self.cpuPercent = cpuPercent
        self.period = period
    }

    /// For operators and tests that want it done now.
    public static let unlimited = ScrubConfiguration(bytesPerSecond: nil, cpuPercent: 100)
}

/// What a scrub does now and did last.
public struct ScrubStatus: Sendable, Hashable {
    public enum Activity: String, Sendable { case paused, archives, records, blobs, keys, waiting }
    public let activity: Activity
    /// The pass under way, or the last one; 0 before the first.
    public let pass: UInt64
    public let started: Timestamp?
    public let ended: Timestamp?
    public let tally: ScrubTally
    public let limits: ScrubConfiguration
    /// Since when there is an archive that was not verified.
    public let oldestUnverified: Timestamp?
    public let copies: [BlobCopyState]
}

/// An archive whose bytes did not verify on any copy.
public struct DamagedArchive: Sendable, Hashable {
    public let vault: VaultLocation
    public let archiveID: String
    public let size: UInt64
    public let found: Timestamp
    public let reason: String
}

/// What a pass has counted and found; bounded whatever it finds.
public struct ScrubTally: Sendable, Hashable {
    /// The most findings that are named one by one; the counts go on.
    public static let maxFindings = 200

    public struct Finding: Sendable, Hashable {
        /// What it is about: an archive's id, a blob, a key file.
        public let subject: String
        public let reason: String
    }

    public var bytes: UInt64 = 0
    public var archives: UInt64 = 0
    /// Blobs of any kind that were verified, per copy.
    public var blobs: UInt64 = 0
    public var failures: UInt64 = 0
    /// Copies that were made good from another.
    public var repairs: UInt64 = 0
    /// Blobs that nobody names.
    public var unnamed: UInt64 = 0
    /// Archives that the catalog lacked and has again.
    public var adopted: UInt64 = 0
    public var findings: [Finding] = []

    mutating func find(_ subject: String, _ reason: String) {
        guard findings.count < Self.maxFindings else { return }
        findings.append(Finding(subject: subject, reason: String(reason.prefix(300))))
    }
}

extension ScrubTally {
    var json: [String: JSONValue] {
        [
            "bytes": .integer(Int64(clamping: bytes)), "archives": .integer(Int64(clamping: archives)),
            "blobs": .integer(Int64(clamping: blobs)), "failures": .integer(Int64(clamping: failures)),
            "repairs": .integer(Int64(clamping: repairs)), "unnamed": .integer(Int64(clamping: unnamed)),
            "adopted": .integer(Int64(clamping: adopted)),
            "findings": .array(findings.map { ["subject": .string($0.subject), "reason": .string($0.reason)] }),
        ]
    }

    init(json: JSONValue) {
        func count(_ name: String) -> UInt64 { UInt64(clamping: json[name]?.integerValue ?? 0) }
        bytes = count("bytes")
        archives = count("archives")
        blobs = count("blobs")
        failures = count("failures")
        repairs = count("repairs")
        unnamed = count("unnamed")
        adopted = count("adopted")
        findings = (json["findings"]?.arrayValue ?? []).compactMap { finding in
            guard let subject = finding["subject"]?.stringValue, let reason = finding["reason"]?.stringValue else { return nil }
            return Finding(subject: subject, reason: reason)
        }
    }
}
