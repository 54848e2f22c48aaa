// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

/// Follows the chains of the log from its first entry to its last, and writes down what does not fit (Docs/Formats/Audit-v1.md §6).
/// After a fault it goes on with what the entry itself says, so that one changed entry is one fault.
struct AuditWalk {
    private static let maxFaults = 100
    /// Heads of the newest entries that came from segments, to compare the catalog's copies with.
    private static let maxRemembered = 50_000

    private let cipher: AuditCipher
    private let checkpoints: [UInt64: AuditHead]
    private var unseen: Set<UInt64>
    private var head: AuditHead?
    private var firstSequence: UInt64?
    private var entries: UInt64 = 0
    private var segments: UInt64 = 0
    private var faults: [String] = []
    private var remembered: [UInt64: AuditHead] = [:]
    /// The row before, in the catalog.
    private var rowHead: AuditHead?

    init(cipher: AuditCipher, checkpoints: [AuditHead]) {
        self.cipher = cipher
        self.checkpoints = Dictionary(checkpoints.map { ($0.sequence, $0) }) { first, _ in first }
        unseen = Set(checkpoints.map(\.sequence))
    }

    mutating func fault(_ text: String) {
        if faults.count < Self.maxFaults { faults.append(text) }
    }

    mutating func take(_ segment: AuditSegment) {
        segments += 1
        if let head, segment.previous != head {
            fault(
                segment.first == head.sequence + 1
                    ? "segment \(segment.first) does not follow from the entry before it"
                    : "entries \(head.sequence + 1) to \(segment.first) are not where they should be: segment \(segment.first) follows entry \(head.sequence)")
        }
        if head == nil, segment.first > 1 { fault("entries 1 to \(segment.previous.sequence) are missing: the first segment is \(segment.first)") }
        if head == nil { seen(segment.previous) }
        head = segment.previous
        for row in segment.rows { follow(row) }
    }

    mutating func beginRows(after base: AuditHead) {
        rowHead = base
        if let head {
            guard base.sequence > head.sequence else { return }
            fault("entries \(head.sequence + 1) to \(base.sequence) are neither in a segment nor in the catalog")
        } else if base.sequence > 0 {
            fault("entries 1 to \(base.sequence) are missing: no segment holds them")
        }
        head = base
        if base.sequence == 0 { seen(base) }
    }

    mutating func take(_ rows: [AuditRow]) {
        for row in rows {
            defer { rowHead = row.head }
            guard let end = head, row.sequence <= end.sequence else {
                follow(row)
                continue
            }
            // In a segment as well: the catalog's own copy must be whole, too, and the same.
            if let known = remembered[row.sequence], known != row.head {
                fault("entry \(row.sequence) in the catalog is not the one in the segment")
            } else if let before = rowHead, let found = cipher.fault(of: row, after: before) {
                fault("in the catalog: \(found)")
            }
        }
    }

    private mutating func follow(_ row: AuditRow) {
        let before = head ?? .origin
        if let found = cipher.fault(of: row, after: before) { fault(found) }
        entries += 1
        if firstSequence == nil { firstSequence = row.sequence }
        head = row.head
        seen(row.head)
        remembered[row.sequence] = row.head
        if remembered.count > Self.maxRemembered { remembered[row.sequence - UInt64(Self.maxRemembered)] = nil }
    }

    private mutating func seen(_ head: AuditHead) {
        guard let expected = checkpoints[head.sequence] else { return }
        unseen.remove(head.sequence)
        if expected != head { fault("entry \(head.sequence) is not the one that a signed checkpoint names") }
    }

    func finish() -> AuditVerification {
        var faults = faults
        let last = head?.sequence ?? 0
        for sequence in unseen.sorted() where faults.count < Self.maxFaults {
            if sequence > last {
                faults.append("the log ends at entry \(last), but a signed checkpoint names entry \(sequence): its end was cut off")
            } else {
                faults.append("entry \(sequence), which a signed checkpoint names, is missing")
            }
        }
        return AuditVerification(
            entries: entries, segments: segments, checkpoints: UInt64(checkpoints.count), first: firstSequence ?? 0, last: last,
            faults: faults)
    }
}
