// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Execution
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// Says of each blob of the store whether a durable record names it, in the order of a listing. Never removes anything.
///
/// Doubt counts as "named": a manifest that cannot be read, a vault that is not there, a record of any kind that may be the last word about
/// something that is gone. What it keeps in memory is one archive's part names and one vault's open uploads. Used by one task.
struct BlobJudge {
    /// More open uploads than this are not remembered: parts of the others then count as named.
    private static let maxUploads = 100_000
    /// A manifest younger than this may belong to a commit that is under way.
    static let adoptionAge: Duration = .seconds(3600)

    enum Verdict: Equatable {
        case named
        case unnamed(String)
        /// It was an archive that the catalog lacked, and has again.
        case adopted(archiveID: String)
    }

    let engine: VaultEngine
    private var archive: ArchivePlace?
    private var uploads: (vault: VaultUID, byArchive: [ArchiveUID: UploadRow], isComplete: Bool)?

    init(engine: VaultEngine) { self.engine = engine }

    /// What is known of the archive that the blobs at hand belong to.
    private struct ArchivePlace {
        let account: String
        let vaultUID: [UInt8]
        let uid: ArchiveUID
        let vault: VaultRow?
        var row: ArchiveRow?
        var upload: UploadRow?
        var knowsUploads: Bool
        /// Nil until needed, or when the manifest cannot be read.
        var parts: Set<String>?
        var isUnreadable = false
    }

    mutating func judge(_ id: BlobID) async throws -> Verdict {
        guard let name = BlobName(id.name) else { return .unnamed("not the name of a blob of ours") }
        switch name {
        case .account(let account, let generation):
            guard let account = AccountID(account), let row = try await engine.catalog.account(account) else {
                return .unnamed("the catalog has no such account")
            }
            return row.generation == generation ? .named : .unnamed("another generation of the account's record is in force")
        case .vault(_, let vault, let generation):
            // The record of a vault that is gone says so, for whoever makes the catalog again.
            guard let uid = VaultUID(bytes: vault), let row = try await engine.catalog.vault(uid) else { return .named }
            return row.generation == generation ? .named : .unnamed("another generation of the vault's record is in force")
        case .upload, .deletion, .checkpoint, .audit: return .named
        case .manifest(let account, let vault, let uid, let generation):
            try await turn(to: account, vault, uid)
            return try await judgeManifest(id, generation)
        case .part(let account, let vault, let uid, let index, _):
            try await turn(to: account, vault, uid)
            return try await judgePart(id, index)
        case .staged: return .unnamed("a staged output among the archives")
        }
    }

    private mutating func turn(to account: String, _ vaultUID: [UInt8], _ uid: [UInt8]) async throws {
        if let archive, archive.uid.bytes == uid, archive.vaultUID == vaultUID { return }
        guard let uid = ArchiveUID(bytes: uid), let vaultID = VaultUID(bytes: vaultUID) else { return archive = nil }
        let vault = try await engine.catalog.vault(vaultID)
        let row = try await engine.catalog.archive(uid)
        var place = ArchivePlace(
            account: account, vaultUID: vaultUID, uid: uid, vault: vault, row: row?.vault == vaultID ? row : nil, upload: nil,
            knowsUploads: true)
        if place.row == nil, vault != nil {
            try await learnUploads(of: vaultID)
            place.upload = uploads?.byArchive[uid]
            place.knowsUploads = uploads?.isComplete ?? false
        }
        archive = place
    }

    private mutating func learnUploads(of vault: VaultUID) async throws {
        if uploads?.vault == vault { return }
        var known: [ArchiveUID: UploadRow] = [:]
        var after: UploadUID?
        var isComplete = false
        while known.count < Self.maxUploads {
            let page = try await engine.catalog.uploads(vault: vault, after: after, limit: 1000)
            for upload in page { known[upload.archive] = upload }
            guard page.count == 1000, let last = page.last else {
                isComplete = true
                break
            }
            after = last.uid
        }
        uploads = (vault, known, isComplete)
    }

    private mutating func judgePart(_ id: BlobID, _ index: UInt32) async throws -> Verdict {
        guard let place = archive, place.knowsUploads, let vault = place.vault else { return .named }
        if let row = place.row {
            if place.parts == nil, !place.isUnreadable { try await learnParts(of: row, in: vault) }
            guard let parts = archive?.parts else { return .named }
            return parts.contains(id.name) ? .named : .unnamed("its archive does not name this part")
        }
        guard let upload = place.upload else { return .unnamed("neither an archive nor an upload has this part") }
        let part = try await engine.catalog.part(upload.uid, index: index)
        return part?.blob == id.name ? .named : .unnamed("its upload does not name this part")
    }

    private mutating func learnParts(of row: ArchiveRow, in vault: VaultRow) async throws {
        do {
            let names = try await engine.budget.withBytes(ArchiveReader.manifestBytes(of: row, in: engine)) {
                let manifest = try await ArchiveReader.open(row, in: vault, engine: engine).manifest
                return Set(manifest.parts.map(\.blob))
            }
            archive?.parts = names
        } catch {
            // Verifying the archive reports it; nothing of it may count as garbage meanwhile.
            guard isDamage(error) else { throw error }
            archive?.isUnreadable = true
        }
    }

    // MARK: manifests, and archives that the catalog lacks

    private mutating func judgeManifest(_ id: BlobID, _ generation: UInt64) async throws -> Verdict {
        guard let place = archive, place.knowsUploads, let vault = place.vault else { return .named }
        if let row = place.row {
            return row.generation == generation ? .named : .unnamed("another generation of the manifest is in force")
        }
        guard vault.state == .active else { return .unnamed("its vault is deleted") }
        let prefix = BlobName.archivePrefix(account: place.account, vaultUID: place.vaultUID, archiveUID: place.uid.bytes)
        guard try await engine.cold.list(prefix: prefix + "deletion-", after: nil, limit: 1).isEmpty else {
            return .unnamed("its archive was deleted")
        }
        let now = engine.clock.now()
        guard let written = Int64(exactly: generation),
            now.since(Timestamp(milliseconds: written)) >= Self.adoptionAge
        else { return .unnamed("it is young, and the catalog may still learn of it") }
        guard try await !engine.catalog.isDoomed(id.name, in: .cold) else { return .unnamed("it waits for its removal") }
        let newest = try await engine.cold.list(prefix: prefix + "manifest-", after: id, limit: 1)
        guard newest.isEmpty else { return .unnamed("a newer generation of the manifest exists") }
        do {
            guard let row = try await adopt(id, generation, place, vault) else {
                return .unnamed("it verifies, but its archive could not be taken up")
            }
            archive?.row = row
            archive?.parts = nil
            archive?.upload = nil
            return .adopted(archiveID: row.id)
        } catch {
            guard isDamage(error) else { throw error }
            return .unnamed("no archive has it, and it does not verify: \(CopyCheck.reason(error))")
        }
    }

    /// A manifest that verifies and whose parts are all there is an archive: the catalog takes it up (an older catalog was restored, or the
    /// outcome of its commit was unknown). Its bytes are verified next, being new.
    private func adopt(
        _ id: BlobID, _ generation: UInt64, _ place: ArchivePlace, _ vault: VaultRow
    ) async throws -> ArchiveRow? {
        let manifest = try await engine.cold.readingCopies { copy in
            try await readManifest(id, generation, place, vault, from: copy)
        }
        for part in manifest.parts {
            guard try await engine.cold.size(of: try blobID(part.blob)) == part.ciphertextBytes else {
                throw FormatError.malformed("a part of the archive is missing")
            }
        }
        guard let version = manifest.keys.first(where: { $0.kind == WrappedKey.serviceKind })?.version else { return nil }
        let row = ArchiveRow(
            uid: place.uid, id: manifest.archiveID, vault: vault.uid, state: .stored,
            created: Timestamp(milliseconds: manifest.createdMilliseconds), size: manifest.size,
            partCount: UInt32(manifest.parts.count), generation: generation, keyVersion: version,
            sealed: try engine.keyring.seal(
                ArchiveColumn(description: manifest.description, treeHash: manifest.treeHash), uid: place.uid.bytes,
                version: version, key: try engine.keyring.key(of: vault, version: version), random: engine.random))
        let audit = try engine.audit(
            .vault(vault.location, .scrub, "scrub:AdoptArchive", by: .service, ["archiveId": .string(row.id)]))
        let outcome = try await engine.catalog.commitArchive(row, from: place.upload.map { ($0.uid, $0.revision) }, audit: audit)
        return outcome == .stored ? row : nil
    }

    private func readManifest(
        _ id: BlobID, _ generation: UInt64, _ place: ArchivePlace, _ vault: VaultRow, from copy: any BlobStore
    ) async throws -> Manifest {
        guard let size = try await copy.size(of: id), size <= UInt64(SealedBlob.maxBlobBytes) else {
            throw FormatError.limitExceeded("a manifest that is missing or too large")
        }
        var bytes: [UInt8] = []
        while UInt64(bytes.count) < size {
            let end = min(size, UInt64(bytes.count) + 1 << 20)
            bytes += try await copy.read(id, range: UInt64(bytes.count)..<end).readableBytesView
        }
        let version = try BlobPreamble(parsing: bytes).index
        guard vault.keys.contains(where: { $0.version == version }) else {
            throw FormatError.wrongIdentity("a key version that the vault does not have")
        }
        let key = try engine.keyring.key(of: vault, version: version)
        let sealed = bytes
        let manifest = try await engine.compute.run {
            try Manifest(
                decoding: SealedBlob.open(
                    sealed, expecting: BlobExpectation(.manifest, uid: place.uid.bytes, index: version, number: generation),
                    account: place.account, vaultUID: place.vaultUID, key: key
                ).plaintext)
        }
        guard manifest.archiveUID == place.uid.bytes, manifest.vaultUID == place.vaultUID, manifest.generation == generation,
            let wrap = manifest.keys.first(where: { $0.kind == WrappedKey.serviceKind && $0.version == version })
        else { throw FormatError.wrongIdentity("a manifest that is not what its name says") }
        _ = try KeyWrap.unwrap(wrap.wrapped, under: key, context: ArchiveBirth.wrapContext(vault, place.uid))
        return manifest
    }
}
