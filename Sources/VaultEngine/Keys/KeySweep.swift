// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// What one pass over the names of a store found of the versions of a key.
struct KeySweepResult: Sendable {
    /// Manifests and records whose preamble was read: 40 bytes each.
    var read: UInt64 = 0
    /// How many of them name each version.
    var naming: [UInt32: UInt64] = [:]
    /// How many were named for deletion, or sealed again, in this pass.
    var acted: UInt64 = 0
    /// Up to ten names of those that can be neither.
    var blockers: [String] = []

    mutating func block(_ id: BlobID, _ reason: String) {
        if blockers.count < 10 { blockers.append("\(id): \(reason)") }
    }
}

/// Reads the preambles of a vault's manifests and records (of parts there is no need: their keys are in manifests), and does what the
/// catalog cannot: replaced generations that a crash left are named for deletion, records of what the catalog has forgotten are sealed under
/// the newest version. The pass in which nothing named a version is the proof that nothing is left.
struct KeySweep: Sendable {
    private static let page = 500

    let engine: VaultEngine
    let pace: RewrapPace

    /// - Parameter isProof: only reads.
    func sweep(_ uid: VaultUID, isProof: Bool = false) async throws -> KeySweepResult {
        var result = KeySweepResult()
        guard let vault = try await engine.catalog.vault(uid), let newest = vault.keys.last?.version else { return result }
        let prefix = BlobName.vaultPrefix(account: vault.location.account.digits, vaultUID: uid.bytes)
        for folder in ["archives/", "uploads/"] {
            var after: BlobID?
            while true {
                let page = try await engine.cold.list(prefix: prefix + folder, after: after, limit: Self.page)
                for entry in page {
                    guard let name = BlobName(entry.id.name), name.hasKeyVersion,
                        let version = try await engine.keyVersion(of: entry.id)
                    else { continue }
                    result.read += 1
                    guard version != newest else { continue }
                    result.naming[version, default: 0] += 1
                    guard !isProof else { continue }
                    do {
                        try await handle(name, entry.id, under: version, in: vault, &result)
                    } catch let error as FormatError {
                        result.block(entry.id, "\(error)")
                    }
                }
                try await pace.rest(after: 0)
                guard page.count == Self.page, let last = page.last else { break }
                after = last.id
            }
        }
        return result
    }

    private func handle(
        _ name: BlobName, _ id: BlobID, under version: UInt32, in vault: VaultRow, _ result: inout KeySweepResult
    ) async throws {
        switch name {
        case .manifest(_, _, let bytes, let generation):
            guard let uid = ArchiveUID(bytes: bytes) else { return }
            if let row = try await engine.catalog.archive(uid) {
                if row.generation > generation {
                    try await engine.doom([id], of: .cold, after: engine.configuration.replacedGrace)
                    result.acted += 1
                } else if row.generation < generation {
                    result.block(id, "newer than the catalog")
                } else {
                    result.block(id, "could not be moved")
                }
            } else if try await isDeleted(uid, in: vault) {
                try await engine.doom([id], of: .cold)
                result.acted += 1
            } else {
                result.block(id, "the catalog does not know its archive")
            }
        case .deletion(_, _, let bytes, let generation):
            guard let uid = ArchiveUID(bytes: bytes) else { return }
            // The record of a deletion that failed has been doomed; written anew it would delete the archive in a rebuild.
            if try await engine.catalog.archive(uid)?.state == .stored { return result.block(id, "its archive is stored") }
            try await reseal(id, .deletion, of: bytes, generation: generation, under: version, in: vault)
            result.acted += 1
        case .upload(let account, _, let bytes, let generation):
            let vaultUID = vault.uid.bytes
            let newer = try await engine.recordNames(above: generation) {
                BlobName.upload(account: account, vaultUID: vaultUID, archiveUID: bytes, generation: $0)
            }
            if newer.isEmpty {
                guard try await !isOpenUpload(id, of: bytes, generation: generation, under: version, in: vault) else {
                    return result.block(id, "its upload goes on")
                }
                try await reseal(id, .upload, of: bytes, generation: generation, under: version, in: vault)
            } else {
                try await engine.doom([id], of: .cold, after: engine.configuration.replacedGrace)
            }
            result.acted += 1
        default: return
        }
    }

    private func isDeleted(_ archive: ArchiveUID, in vault: VaultRow) async throws -> Bool {
        let prefix = BlobName.archivePrefix(
            account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: archive.bytes)
        return try await !engine.cold.list(prefix: prefix + "deletion-", after: nil, limit: 1).isEmpty
    }

    /// The catalog moves the records of open uploads itself.
    private func isOpenUpload(
        _ id: BlobID, of archive: [UInt8], generation: UInt64, under version: UInt32, in vault: VaultRow
    ) async throws -> Bool {
        let record = try await read(id, .upload, of: archive, generation: generation, under: version, in: vault)
        guard let text = record.body["uploadId"]?.stringValue,
            let identifier = engine.keyring.identifiers.parse(text, kind: .upload, account: vault.location.account)
        else { return false }
        return try await engine.catalog.upload(UploadUID(words: identifier.uid))?.state == .open
    }

    private func read(
        _ id: BlobID, _ type: RecordType, of archive: [UInt8], generation: UInt64, under version: UInt32, in vault: VaultRow
    ) async throws -> StateRecord {
        guard let size = try await engine.cold.size(of: id), size <= UInt64(engine.cold.maxReadBytes) else {
            throw FormatError.limitExceeded("a record of more than 4 MiB")
        }
        let bytes = try await engine.cold.read(id, range: 0..<size)
        let opened = try SealedBlob.open(
            Array(bytes.readableBytesView),
            expecting: BlobExpectation(.record, uid: archive, index: version, number: generation),
            account: vault.location.account.digits, vaultUID: vault.uid.bytes,
            key: try engine.keyring.key(of: vault, version: version))
        return try StateRecord(decoding: opened.plaintext, expecting: type)
    }

    /// The same record in its next generation under the newest version; the old one goes.
    private func reseal(
        _ id: BlobID, _ type: RecordType, of archive: [UInt8], generation: UInt64, under version: UInt32, in vault: VaultRow
    ) async throws {
        var body = try await read(id, type, of: archive, generation: generation, under: version, in: vault).body
        let (newest, key) = try engine.keyring.currentKey(of: vault)
        let (account, vaultUID) = (vault.location.account.digits, vault.uid.bytes)
        if type == .upload, let wraps = body["keys"]?.arrayValue {
            let context = WrapContext.dataKey(account: account, vaultUID: vaultUID, archiveUID: archive)
            body["keys"] = .array(
                try wraps.map { value in
                    var wrap = try WrappedKey(value)
                    guard wrap.kind == WrappedKey.serviceKind, wrap.version != newest else { return value }
                    let dataKey = try KeyWrap.unwrap(
                        wrap.wrapped, under: try engine.keyring.key(of: vault, version: wrap.version), context: context)
                    wrap.wrapped = try KeyWrap.wrap(dataKey, under: key, context: context, random: engine.random)
                    wrap.version = newest
                    return wrap.json
                })
        }
        _ = try await engine.write(
            type, body: body, uid: archive, account: vault.location.account, vault: vault.uid, key: key, keyVersion: newest,
            from: generation + 1
        ) { generation in
            type == .upload
                ? BlobName.upload(account: account, vaultUID: vaultUID, archiveUID: archive, generation: generation)
                : BlobName.deletion(account: account, vaultUID: vaultUID, archiveUID: archive, generation: generation)
        }
        engine.keyDesk.update { $0.records += 1 }
        try await engine.doom([id], of: .cold)
    }
}

extension VaultEngine {
    /// Nil when the blob has gone since it was listed, or is none.
    func keyVersion(of id: BlobID) async throws -> UInt32? {
        do throws(StorageError) {
            let head = try await cold.read(id, range: 0..<UInt64(BlobPreamble.byteCount))
            return (try? BlobPreamble(parsing: head.readableBytesView))?.index
        } catch {
            if error.code == .notFound { return nil }
            // Shorter than a preamble: nothing that a key could open, and a scrub's business.
            if error.code == .integrity, try await cold.size(of: id) ?? 0 < UInt64(BlobPreamble.byteCount) { return nil }
            throw error
        }
    }
}

extension BlobName {
    /// Manifests and records say in the preamble which version of a key seals them.
    var hasKeyVersion: Bool {
        switch self {
        case .manifest, .deletion, .upload, .vault, .account: true
        default: false
        }
    }
}
