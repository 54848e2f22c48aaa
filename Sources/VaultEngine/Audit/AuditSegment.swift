// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// A run of entries as a blob (Docs/Formats/Audit-v1.md §4).
struct AuditSegment: Equatable {
    static let format = "coldvault-audit-segment"
    /// Both bound a segment; an entry of 16 KiB still leaves it far below the blob's limit.
    static let maxEntries = 2000
    static let maxSealedBytes = 4 << 20
    static let noAccount = "000000000000"

    let previous: AuditHead
    /// At least one, without a gap after `previous`.
    let rows: [AuditRow]

    var first: UInt64 { previous.sequence + 1 }
    var end: AuditHead { rows.last?.head ?? previous }
    var name: BlobName { .audit(first: first) }

    func sealed(with cipher: AuditCipher, random: any RandomByteSource) throws -> [UInt8] {
        let document: JSONValue = [
            "format": .string(Self.format), "version": 1, "critical": [], "first": .integer(Int64(clamping: first)),
            "last": .integer(Int64(clamping: end.sequence)), "previous": Self.json(previous), "end": Self.json(end),
            "entries": .array(
                rows.map { row in
                    [
                        "uid": .string(row.uid.hex), "time": .integer(row.time.milliseconds),
                        "keyVersion": .integer(Int64(row.sealed.keyVersion)), "sealed": .string(Base64.encode(row.sealed.bytes)),
                        "link": .string(Hex.encode(row.head.link)), "tag": .string(Hex.encode(row.head.tag)),
                    ]
                }),
        ]
        return try SealedBlob.seal(
            plaintext: document.canonicalBytes(),
            preamble: BlobPreamble(kind: .audit, uid: BlobContext.noVault, index: cipher.version, number: first),
            account: Self.noAccount, vaultUID: BlobContext.noVault, key: cipher.key, random: random)
    }

    /// The segment that begins with entry `first`, out of a store.
    static func read(first: UInt64, from store: any BlobStore, with cipher: AuditCipher) async throws -> AuditSegment {
        let id = try blobID(BlobName.audit(first: first).text)
        guard let size = try await store.size(of: id), size <= UInt64(SealedBlob.maxBlobBytes) else {
            throw VaultError(.integrity, "Segment \(first) of the audit log is missing or has an impossible size.")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(size))
        while UInt64(bytes.count) < size {
            let end = min(size, UInt64(bytes.count) + UInt64(store.maxReadBytes))
            bytes += Array(try await store.read(id, range: UInt64(bytes.count)..<end).readableBytesView)
        }
        return try AuditSegment(opening: bytes, first: first, with: cipher)
    }

    private static func json(_ head: AuditHead) -> JSONValue {
        ["link": .string(Hex.encode(head.link)), "tag": .string(Hex.encode(head.tag))]
    }

    init(previous: AuditHead, rows: [AuditRow]) {
        self.previous = previous
        self.rows = rows
    }

    /// Opens the segment that begins with entry `first`.
    init(opening blob: [UInt8], first: UInt64, with cipher: AuditCipher) throws {
        let damaged = VaultError(.integrity, "Segment \(first) of the audit log does not verify: it was changed or is another one.")
        let preamble: BlobPreamble
        do { preamble = try BlobPreamble(parsing: blob) } catch { throw damaged }
        guard let key = cipher.key(preamble.index) else {
            throw VaultError(
                .integrity, "Segment \(first) of the audit log needs version \(preamble.index) of the audit key. Restore that key file.")
        }
        let plaintext: [UInt8]
        do {
            plaintext = try SealedBlob.open(
                blob, expecting: BlobExpectation(.audit, uid: BlobContext.noVault, number: first), account: Self.noAccount,
                vaultUID: BlobContext.noVault, key: key
            ).plaintext
        } catch { throw damaged }
        guard let parsed = Self(plaintext), parsed.first == first else { throw damaged }
        self = parsed
    }

    private init?(_ plaintext: [UInt8]) {
        let limits = JSONLimits(maxBytes: SealedBlob.maxPlaintextBytes)
        guard let json = try? JSONParser.parse(plaintext, limits: limits), json["format"]?.stringValue == Self.format,
            json["version"]?.integerValue == 1, json["critical"]?.arrayValue?.isEmpty == true,
            let first = json["first"]?.integerValue, first > 0, let entries = json["entries"]?.arrayValue, !entries.isEmpty,
            let previous = Self.head(json["previous"], sequence: UInt64(first) - 1)
        else { return nil }
        var rows: [AuditRow] = []
        for entry in entries {
            guard let uid = entry["uid"]?.stringValue.flatMap({ AuditUID(hex: $0) }), let time = entry["time"]?.integerValue,
                let version = entry["keyVersion"]?.integerValue.flatMap({ UInt32(exactly: $0) }),
                let sealed = entry["sealed"]?.stringValue.flatMap({ Base64.decode($0) }),
                let head = Self.head(entry, sequence: UInt64(first) + UInt64(rows.count))
            else { return nil }
            rows.append(
                AuditRow(
                    uid: uid, time: Timestamp(milliseconds: time), sealed: SealedColumnValue(keyVersion: version, bytes: sealed),
                    head: head))
        }
        self.init(previous: previous, rows: rows)
        guard json["last"]?.integerValue == Int64(clamping: end.sequence), Self.head(json["end"], sequence: end.sequence) == end else {
            return nil
        }
    }

    private static func head(_ json: JSONValue?, sequence: UInt64) -> AuditHead? {
        guard let link = json?["link"]?.stringValue.flatMap({ Hex.decode($0) }), link.count == 32,
            let tag = json?["tag"]?.stringValue.flatMap({ Hex.decode($0) }), tag.count == 32
        else { return nil }
        return AuditHead(sequence: sequence, link: link, tag: tag)
    }
}
