// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive

/// Checks an exported log line by line, without a key but the service's public one (Docs/Formats/Audit-v1.md §7). Constant memory but for
/// the links that its checkpoints name.
public struct AuditExportCheck: Sendable {
    private static let maxFaults = 100
    private static let maxCheckpoints = 100_000

    /// 32 bytes: `coldvault init` printed them.
    private let publicKey: [UInt8]
    private var line: UInt64 = 0
    private var link: [UInt8]?
    private var sequence: UInt64 = 0
    private var first: UInt64?
    private var ended = false
    private var expected: [UInt64: (link: [UInt8], generation: UInt64)] = [:]
    private var checkpoints: UInt64 = 0
    private var entries: UInt64 = 0
    private var covered: UInt64 = 0
    private var faults: [String] = []

    public init(publicKey: [UInt8]) { self.publicKey = publicKey }

    /// Checkpoints come before the entries, so that memory stays bounded: `header`, checkpoints, entries, `end`.
    public mutating func take(_ text: [UInt8]) {
        line += 1
        guard let json = try? JSONParser.parse(text) else { return fault("line \(line) is not JSON") }
        if ended { return fault("line \(line) stands after the end of the export") }
        if let header = json["header"] {
            takeHeader(header)
        } else if let statement = json["checkpoint"] {
            takeCheckpoint(statement)
        } else if let entry = json["entry"] {
            takeEntry(entry)
        } else if let end = json["end"] {
            ended = true
            if end["last"]?.integerValue != Int64(clamping: sequence) || end["link"]?.stringValue != link.map({ Hex.encode($0) }) {
                fault("the export ends elsewhere than its last line says: entries at its end are missing")
            }
        } else {
            fault("line \(line) is of no known kind")
        }
    }

    private mutating func fault(_ text: String) {
        if faults.count < Self.maxFaults { faults.append(text) }
    }

    private mutating func takeHeader(_ header: JSONValue) {
        guard line == 1, header["format"]?.stringValue == "coldvault-audit-export", header["version"]?.integerValue == 1,
            let first = header["first"]?.integerValue, first > 0,
            let previous = header["previous"]?.stringValue.flatMap({ Hex.decode($0) }), previous.count == 32
        else { return fault("line \(line) is not the header of an export of version 1") }
        sequence = UInt64(first) - 1
        link = previous
        compare()
    }

    private mutating func takeCheckpoint(_ statement: JSONValue) {
        guard checkpoints < Self.maxCheckpoints, entries == 0 else {
            return fault("line \(line): checkpoints stand before the entries, at most \(Self.maxCheckpoints)")
        }
        do {
            let signed = try SignedStatement(decoding: statement.canonicalBytes(), signedBy: publicKey)
            guard let checkpoint = Checkpoint(signed) else { return fault("line \(line) is no checkpoint") }
            checkpoints += 1
            expected[checkpoint.auditSequence] = (checkpoint.auditLink, checkpoint.generation)
            compare()
        } catch {
            fault("line \(line): the checkpoint does not verify (\(error))")
        }
    }

    private mutating func takeEntry(_ entry: JSONValue) {
        guard let before = link else { return fault("line \(line): an entry before the header") }
        guard let number = entry["n"]?.integerValue, let document = entry["document"]?.stringValue,
            let stated = entry["link"]?.stringValue.flatMap({ Hex.decode($0) }), stated.count == 32
        else { return fault("line \(line) is not an entry") }
        entries += 1
        if first == nil { first = UInt64(clamping: number) }
        if UInt64(clamping: number) != sequence + 1 {
            fault("entry \(sequence + 1) is missing: entry \(number) follows entry \(sequence)")
        } else {
            let computed = KeyedAuditChain.link(
                after: before, sequence: sequence + 1, digest: SHA256Hasher.hash(Array(document.utf8)).bytes)
            if computed != stated { fault("entry \(number) was changed, or the entry before it") }
        }
        sequence = UInt64(clamping: number)
        link = stated
        compare()
    }

    private mutating func compare() {
        guard let wanted = expected[sequence], let link else { return }
        if wanted.link == link {
            covered = max(covered, sequence)
            expected[sequence] = nil
        } else {
            fault("entry \(sequence) is not the one that signed checkpoint \(wanted.generation) names")
        }
    }

    /// What was found. `AuditVerification.last` is the last entry; those after the last checkpoint are only chained to each other.
    public func finish() -> (verification: AuditVerification, coveredByCheckpoint: UInt64) {
        var faults = faults
        if !ended { faults.append("the export has no end: it was cut off") }
        for (number, wanted) in expected.sorted(by: { $0.key < $1.key })
        where number >= (first ?? .max) && faults.count < Self.maxFaults && number > sequence {
            faults.append("the export ends at entry \(sequence), but signed checkpoint \(wanted.generation) names entry \(number)")
        }
        return (
            AuditVerification(
                entries: entries, segments: 0, checkpoints: checkpoints, first: first ?? 0, last: sequence, faults: faults), covered
        )
    }
}
