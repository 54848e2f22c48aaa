// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultClient

/// A drill's evidence for people.
struct DrillText {
    private static let maxFailures = 20

    let body: JSONValue

    func table(evidence: String, kept: String?) -> String {
        var lines = [
            "Recovered  \(recovered)", "RPO        \(recoveryPoint)", "RTO        \(recoveryTime)", "Sample     \(sample)", "Live       \(live)",
            "Evidence   \(evidence)",
        ]
        if let kept { lines.append("Kept       \(kept)") }
        for error in body["engineErrors"]?.arrayValue ?? [] { lines.append("Logged     \(error.stringValue ?? "")") }
        for failure in (body["failures"]?.arrayValue ?? []).prefix(Self.maxFailures) { lines.append("FAILED     \(failure.stringValue ?? "")") }
        let failures = body["failureCount"]?.integerValue ?? 0
        if failures > Self.maxFailures { lines.append("FAILED     \(failures) times in all") }
        lines.append(body["passed"]?.boolValue == true ? "PASSED" : "FAILED")
        return lines.joined(separator: "\n")
    }

    private var isRebuild: Bool { body["source"]?["from"]?.stringValue == "rebuild" }

    private func number(_ object: String, _ name: String) -> Int64 { body[object]?[name]?.integerValue ?? 0 }

    private func seconds(_ object: String, _ name: String) -> String {
        guard let milliseconds = body[object]?[name]?.integerValue else { return "never" }
        let fraction = String(milliseconds % 1000 + 1000).dropFirst()
        return "\(milliseconds / 1000).\(fraction) s"
    }

    private var recovered: String {
        let origin = isRebuild ? "blobs/ and keys/" : "the backup"
        return "from \(origin): \(number("recovered", "archives")) archives in \(number("recovered", "vaults")) vaults; "
            + "\(number("survey", "archives")) lay in blobs/ before"
    }

    private var recoveryPoint: String {
        let lost = number("rpo", "lostArchives")
        var text = "\(lost) acknowledged archives are not in it"
        if lost > 0 {
            text += ", the oldest \(seconds("rpo", "oldestLostAgeMilliseconds")) old, the newest \(seconds("rpo", "newestLostAgeMilliseconds"))"
        }
        if !isRebuild { text += "; the backup is \(seconds("rpo", "backupAgeMilliseconds")) old" }
        return text
    }

    private var recoveryTime: String {
        "\(seconds("rto", "firstArchiveMilliseconds")) until the first archive was back, \(seconds("rto", "sampleMilliseconds")) until the sample was "
            + "(catalog \(seconds("rto", "catalogMilliseconds")), ready \(seconds("rto", "readyMilliseconds")))"
    }

    private var sample: String {
        let bytes = ByteText.short(UInt64(max(0, number("sample", "bytes"))))
        return "\(number("sample", "verified")) of \(number("sample", "chosen")) came back equal (\(bytes)); \(number("sample", "unknown")) unknown to the "
            + "backup, \(number("sample", "deletedMeanwhile")) deleted meanwhile; seed \(body.cell("seed"))"
    }

    private var live: String {
        guard let live = body["live"], let compared = live["archives"]?.integerValue else {
            return "the catalog in use could not be compared: \(body["live"]?["unreachable"]?.stringValue ?? "unknown")"
        }
        return "\(compared) rows of the catalog in use compared, \(live.cell("missing")) not recovered, \(live.cell("different")) different, "
            + "\(live.cell("treeHashes")) tree hashes of the sample compared"
    }
}
