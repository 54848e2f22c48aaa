// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import NIOCore
import PosixDisk
import Storage
import Synchronization
import VaultClient
import VaultEngine

/// What a rebuild tells: as a document for programs, as lines for people.
struct RebuiltCatalog: Sendable {
    let report: RebuildReport
    let path: String
    let previous: String?
    let findingsPath: String?
    let reportPath: String

    func show(as form: OutputForm) throws {
        switch form {
        case .json: try StandardOutput.write(json.canonicalBytes() + [0x0A])
        case .table: try StandardOutput.write(line: text)
        }
    }

    private var seconds: Double { max(report.elapsed / .seconds(1), 0.001) }

    var json: JSONValue {
        func number(_ value: UInt64) -> JSONValue { .integer(Int64(clamping: value)) }
        var findings: [String: JSONValue] = [:]
        for kind in RebuildFinding.Class.allCases { findings[kind.rawValue] = number(report.findingCounts[kind] ?? 0) }
        return [
            "catalog": .string(path), "previousCatalog": previous.map { .string($0) } ?? .null,
            "report": .string(reportPath), "findingsFile": findingsPath.map { .string($0) } ?? .null,
            "clean": .bool(report.isClean), "mayBeOlderThanAcknowledged": .bool(report.staleFindings > 0),
            "accounts": number(report.accounts), "users": number(report.users), "accessKeys": number(report.accessKeys),
            "topics": number(report.topics), "vaults": number(report.vaults), "lockedVaults": number(report.lockedVaults),
            "deletedVaults": number(report.deletedVaults), "archives": number(report.archives),
            "archiveBytes": number(report.archiveBytes), "damagedArchives": number(report.damagedArchives),
            "deletedArchives": number(report.deletedArchives), "purgedArchives": number(report.purgedArchives),
            "openUploads": number(report.openUploads), "uploadParts": number(report.uploadParts),
            "uploadPartBytes": number(report.uploadPartBytes), "closedUploads": number(report.closedUploads),
            "blobs": number(report.blobs), "blobBytes": number(report.blobBytes), "doomedBlobs": number(report.doomedBlobs),
            "verifiedBytes": number(report.verifiedBytes), "milliseconds": .integer(Int64(seconds * 1000)),
            "archivesPerSecond": .integer(Int64(Double(report.archives) / seconds)),
            "blobsPerSecond": .integer(Int64(Double(report.blobs) / seconds)),
            "findingCounts": .object(findings), "findings": .array(report.findings.map(Self.json)),
            "notRebuilt": .array(RebuildReport.notRebuilt.map { .string($0) }),
        ]
    }

    static func json(_ finding: RebuildFinding) -> JSONValue {
        [
            "class": .string(finding.kind.rawValue), "subject": .string(finding.subject), "reason": .string(finding.reason),
            "stale": .bool(finding.isStale),
        ]
    }

    private var text: String {
        var table = TextTable([("", .left), ("", .right)])
        let rows: [(String, UInt64)] = [
            ("accounts", report.accounts), ("users", report.users), ("access keys", report.accessKeys), ("topics", report.topics),
            ("vaults", report.vaults), ("  of them locked", report.lockedVaults), ("archives", report.archives),
            ("  of them damaged", report.damagedArchives), ("deleted archives waiting for their grace", report.deletedArchives),
            ("open uploads", report.openUploads), ("  their parts", report.uploadParts), ("blobs read", report.blobs),
            ("blobs named for deletion", report.doomedBlobs),
        ]
        for (name, count) in rows { table.add([name, "\(count)"]) }
        var lines = [
            "The catalog \(path) was made again in \(Int(seconds.rounded())) s (\(Int(Double(report.archives) / seconds)) archives/s, "
                + "\(ByteText.short(report.archiveBytes)) of archives).",
            table.text, "",
        ]
        if let previous { lines.append("The catalog before it is kept as \(previous).") }
        lines.append("Not rebuilt: \(RebuildReport.notRebuilt.joined(separator: ", ")).")
        if report.staleFindings > 0 {
            lines.append(
                "WARNING: \(report.staleFindings) newer records do not verify, older ones count instead: "
                    + "the state MAY BE OLDER than what was acknowledged.")
        }
        lines += findings
        lines.append("Report: \(reportPath)")
        return lines.joined(separator: "\n")
    }

    private var findings: [String] {
        guard !report.findings.isEmpty else { return ["No findings."] }
        let counts = RebuildFinding.Class.allCases.compactMap { kind in report.findingCounts[kind].map { "\($0) \(kind.rawValue)" } }
        var table = TextTable([("CLASS", .left), ("SUBJECT", .left), ("FOUND", .left)])
        for finding in report.findings.prefix(20) { table.add([finding.kind.rawValue, finding.subject, finding.reason]) }
        var lines = ["Findings: \(counts.joined(separator: ", "))", table.text]
        if let findingsPath { lines.append("All of them: \(findingsPath)") }
        return lines
    }
}

/// All findings of a rebuild, one JSON object per line; the file gets its name when the rebuild is done, and is not made without findings.
actor FindingsFile {
    private let directory: DataDirectory
    private let path: String
    private var file: (any DiskFile)?

    init(directory: DataDirectory, stamp: String) {
        self.directory = directory
        path = "\(directory.path)/rebuild-findings-\(stamp).jsonl"
    }

    func append(_ findings: [RebuildFinding]) async throws {
        let target: any DiskFile
        if let file { target = file } else { target = try await directory.disk.createTemporary(in: directory.path) }
        file = target
        var lines = ByteBuffer()
        for finding in findings { lines.writeBytes(RebuiltCatalog.json(finding).canonicalBytes() + [0x0A]) }
        try await target.write(lines)
    }

    /// Durable on return; the path, or nil without findings.
    func publish() async throws -> String? {
        guard let file else { return nil }
        try await file.sync()
        try await directory.disk.publish(file, at: path)
        try await directory.disk.syncDirectory(directory.path)
        await abandon()
        return path
    }

    func abandon() async {
        await file?.close()
        file = nil
    }
}

/// A bar on standard error, drawn at most ten times a second and only on a terminal.
final class RebuildBar: Sendable {
    private static let drawingInterval = Duration.milliseconds(100)
    private static let width = 30
    private let isShown: Bool
    private let start = ContinuousClock.now
    private let lastDrawn = Mutex<ContinuousClock.Instant?>(nil)

    init(isShown: Bool) { self.isShown = isShown }

    func show(_ progress: RebuildProgress) {
        guard isShown else { return }
        let now = ContinuousClock.now
        let isDue = lastDrawn.withLock { last in
            if let last, now - last < Self.drawingInterval { return false }
            last = now
            return true
        }
        guard isDue else { return }
        let filled = Int((progress.share * Double(Self.width)).rounded(.down))
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: Self.width - filled)
        let rate = Int(Double(progress.archives) / max((now - start) / .seconds(1), 0.1))
        StandardError.write(
            "\r\u{1B}[2Krebuilding [\(bar)] \(Int(progress.share * 100))% \(progress.archives) archives, \(progress.blobs) blobs, \(rate)/s")
    }

    func end() { if lastDrawn.withLock({ $0 != nil }) { StandardError.write("\n") } }
}
