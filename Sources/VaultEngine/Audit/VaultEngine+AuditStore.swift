// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Logging
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// What is done with the audit log as a whole, one at a time.
enum AuditWork: Hashable, Sendable { case export, checkpoint }

/// Moving entries from the catalog into segments, and finding the log again when the catalog lost it.
extension VaultEngine {
    /// How many of the newest entries stay in the catalog.
    static let keptAuditRows = 10_000
    private static let exportedFact = "audit_exported"

    /// Writes entries that are in no segment yet into segments, then forgets the oldest rows. Durable on return; repeatable.
    func exportAudit(upTo limit: UInt64 = .max) async throws {
        try await auditGate.exclusive(.export) {
            let cipher = try auditCipher.get()
            while true {
                let exported = try await exportedAudit()
                let rows = try await auditRows(after: exported.sequence, limit: AuditSegment.maxEntries)
                guard !rows.isEmpty, exported.sequence < limit else { break }
                let segment = AuditSegment(previous: exported, rows: rows)
                try await freeingRoom { try await put(segment, cipher) }
            }
            let exported = try await exportedAudit().sequence
            while try await catalog.trimAudit(through: exported, keep: Self.keptAuditRows) > 0 {}
        }
    }

    /// A run of rows that fits a segment.
    private func auditRows(after sequence: UInt64, limit: Int) async throws -> [AuditRow] {
        var rows: [AuditRow] = []
        var bytes = 0
        for row in try await catalog.auditEntries(after: sequence, limit: limit) {
            bytes += row.sealed.bytes.count
            guard bytes <= AuditSegment.maxSealedBytes else { break }
            rows.append(row)
        }
        return rows
    }

    private func put(_ segment: AuditSegment, _ cipher: AuditCipher) async throws {
        let id = try blobID(segment.name.text)
        var end = segment.end
        do throws(StorageError) {
            let blob: [UInt8]
            do { blob = try segment.sealed(with: cipher, random: random) } catch {
                throw StorageError(.unusable, "a segment of the audit log cannot be sealed", cause: error)
            }
            try await reserve.putAll([(id, ByteBuffer(bytes: blob))])
        } catch {
            guard error.code == .alreadyExists else { throw error }
            // Written by a run that was interrupted before it said so: it holds the same entries, or fewer.
            let found = try await auditSegment(first: segment.first, cipher)
            guard found.previous == segment.previous, found.rows == Array(segment.rows.prefix(found.rows.count)) else {
                throw VaultError(
                    .integrity,
                    "Segment \(segment.first) of the audit log is of another history than the catalog: was one of them put back?")
            }
            end = found.end
        }
        try await catalog.setFact(Self.exportedFact, Self.text(end), audit: .none)
    }

    /// Up to where entries are in segments.
    private func exportedAudit() async throws -> AuditHead {
        let base = try await catalog.auditBase()
        guard let text = try await catalog.fact(Self.exportedFact), let head = Self.head(text), head.sequence >= base.sequence else {
            return base
        }
        return head
    }

    private static func text(_ head: AuditHead) -> String {
        "\(head.sequence) " + head.link.map(hex).joined() + " " + head.tag.map(hex).joined()
    }

    private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

    private static func head(_ text: String) -> AuditHead? {
        let words = text.split(separator: " ")
        guard words.count == 3, let sequence = UInt64(words[0]), let link = bytes(words[1]), let tag = bytes(words[2]) else {
            return nil
        }
        return AuditHead(sequence: sequence, link: link, tag: tag)
    }

    /// Exactly 32 of them.
    private static func bytes(_ hex: Substring) -> [UInt8]? {
        guard hex.utf8.count == 64, let first = AuditUID(hex: hex.prefix(32)), let second = AuditUID(hex: hex.suffix(32)) else {
            return nil
        }
        return first.bytes + second.bytes
    }

    // MARK: Segments

    func auditSegment(first: UInt64, _ cipher: AuditCipher) async throws -> AuditSegment {
        try await AuditSegment.read(first: first, from: cold, with: cipher)
    }

    /// The first numbers of all segments after `first`, in order.
    func auditSegments(after first: UInt64?, limit: Int) async throws -> [UInt64] {
        let after = try first.map { try blobID(BlobName.audit(first: $0).text) }
        return try await cold.list(prefix: BlobName.auditPrefix, after: after, limit: limit).compactMap { entry in
            guard case .audit(let first) = BlobName(entry.id.name) else { return nil }
            return first
        }
    }

    /// The first number of the newest segment.
    private func newestAuditSegment() async throws -> UInt64? {
        var newest: UInt64?
        while true {
            let page = try await auditSegments(after: newest, limit: 1000)
            guard let last = page.last else { return newest }
            newest = last
        }
    }

    /// At start: a catalog that was rebuilt or restored goes on where the segments end, and says so.
    func continueAudit() async throws {
        guard let first = try await newestAuditSegment() else { return }
        let cipher = try auditCipher.get()
        let end: AuditHead
        do {
            end = try await auditSegment(first: first, cipher).end
        } catch {
            logger.error(
                "the newest segment of the audit log cannot be read; run coldvault audit verify",
                metadata: ["segment": "\(first)", "error": "\(error)"])
            return
        }
        let head = try await catalog.auditHead()
        guard head.sequence < end.sequence else { return }
        try await catalog.continueAudit(from: end)
        try await recordAct(
            AuditAct(
                .service, "service:ContinueLog", by: .service, on: "audit log",
                [
                    "catalogEndedAt": .integer(Int64(clamping: head.sequence)),
                    "continuedAfter": .integer(Int64(clamping: end.sequence)),
                ]))
        logger.warning(
            "the catalog's audit log was behind its segments and goes on after them; entries that were only in the catalog are lost",
            metadata: ["catalogEndedAt": "\(head.sequence)", "continuedAfter": "\(end.sequence)"])
    }
}
