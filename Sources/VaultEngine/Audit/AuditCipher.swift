// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import Storage
import VaultModel

/// The chains of the audit log under its keys (Docs/Formats/Audit-v1.md §3).
struct KeyedAuditChain: AuditChain {
    private let keys: [UInt32: SecretKey]

    /// - Parameter keys: every version of the audit key.
    init(_ keys: [ServiceKey]) throws {
        var chain: [UInt32: SecretKey] = [:]
        for key in keys {
            chain[key.version] = try SecretKey(
                bytes: HKDFSHA512.expand(prk: key.key, info: Array("coldvault/audit/v1/chain".utf8), count: SecretKey.byteCount))
        }
        self.keys = chain
    }

    func head(after head: AuditHead, appending draft: AuditDraft) -> AuditHead {
        let sequence = head.sequence + 1
        let link = Self.link(after: head.link, sequence: sequence, digest: draft.digest)
        return AuditHead(
            sequence: sequence, link: link,
            tag: tag(after: head.tag, sequence: sequence, time: draft.time, uid: draft.uid, sealed: draft.sealed, link: link))
    }

    static func link(after link: [UInt8], sequence: UInt64, digest: [UInt8]) -> [UInt8] {
        var hasher = SHA256Hasher()
        hasher.update(Array("coldvault/audit/v1/link".utf8) + [0])
        hasher.update(link)
        hasher.update(bigEndian(sequence))
        hasher.update(digest)
        return hasher.finalize().bytes
    }

    func tag(
        after tag: [UInt8], sequence: UInt64, time: Timestamp, uid: AuditUID, sealed: SealedColumnValue, link: [UInt8]
    ) -> [UInt8] {
        // Whoever seals has the version; a row that names one that is not there has no tag that could fit.
        guard let key = keys[sealed.keyVersion] else { return [UInt8](repeating: 0, count: 32) }
        var input = Array("coldvault/audit/v1".utf8) + [0] + tag
        input += Self.bigEndian(sequence) + Self.bigEndian(UInt64(bitPattern: time.milliseconds)) + uid.bytes
        input += Array(Self.bigEndian(UInt64(sealed.keyVersion)).suffix(4)) + link + sealed.bytes
        return HMACSHA256.authenticate(input, key: key).bytes
    }

    private static func bigEndian(_ value: UInt64) -> [UInt8] {
        stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt64($0)) }
    }
}

/// Seals acts and opens entries.
struct AuditCipher: Sendable {
    static let table = "audit"
    private let keys: [UInt32: SecretKey]
    private let current: (version: UInt32, key: SecretKey)
    let chain: KeyedAuditChain

    init(_ keyring: Keyring) throws {
        current = try keyring.currentAudit
        keys = Dictionary(uniqueKeysWithValues: keyring.audit.keys.map { ($0.version, $0.key) })
        chain = try KeyedAuditChain(keyring.audit.keys)
    }

    var version: UInt32 { current.version }
    var key: SecretKey { current.key }

    func key(_ version: UInt32) -> SecretKey? { keys[version] }

    func draft(_ act: AuditAct, at time: Timestamp, random: any RandomByteSource) throws -> AuditDraft {
        let uid = AuditUID(random: random)
        let document = act.document(at: time, salt: random.bytes(16))
        precondition(document.count <= AuditAct.maxBytes, "an entry of the audit log is small")
        let sealed = try SealedColumn.seal(document, table: Self.table, rowUID: uid.bytes, key: current.key, random: random)
        return AuditDraft(
            uid: uid, time: time, sealed: SealedColumnValue(keyVersion: current.version, bytes: sealed),
            digest: SHA256Hasher.hash(document).bytes)
    }

    /// The document of a stored entry; nil when it does not open.
    func open(_ row: AuditRow) -> [UInt8]? {
        guard let key = keys[row.sealed.keyVersion] else { return nil }
        // Why it does not open is always the same to whoever verifies a log: it was changed.
        return try? SealedColumn.open(row.sealed.bytes, table: Self.table, rowUID: row.uid.bytes, key: key)
    }

    /// What is wrong with `row` as the successor of `head`; nil when nothing is.
    func fault(of row: AuditRow, after head: AuditHead) -> String? {
        guard row.sequence == head.sequence + 1 else {
            return "entry \(head.sequence + 1) is missing: entry \(row.sequence) follows entry \(head.sequence)"
        }
        guard let document = open(row) else { return "entry \(row.sequence) does not open: it was changed or is of another place" }
        let digest = SHA256Hasher.hash(document).bytes
        let link = KeyedAuditChain.link(after: head.link, sequence: row.sequence, digest: digest)
        guard link == row.head.link else { return "the link of entry \(row.sequence) does not follow from the entry before it" }
        let tag = chain.tag(after: head.tag, sequence: row.sequence, time: row.time, uid: row.uid, sealed: row.sealed, link: link)
        guard tag == row.head.tag else { return "the tag of entry \(row.sequence) does not follow from the entry before it" }
        return nil
    }
}

extension VaultEngine {
    /// The entries for what is about to happen; they become part of its own transaction.
    func audit(_ acts: AuditAct...) throws -> AuditEntries { try audit(acts) }

    func audit(_ acts: [AuditAct]) throws -> AuditEntries {
        guard configuration.keepsAuditLog else { return .none }
        let time = clock.now()
        let cipher = try auditCipher.get()
        return AuditEntries(try acts.map { try cipher.draft($0, at: time, random: random) }, chain: cipher.chain)
    }

    /// An act that is no change of the catalog. Durable on return.
    func recordAct(_ act: AuditAct) async throws { try await catalog.appendAudit(try audit(act)) }
}
