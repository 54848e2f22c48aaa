// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import SealedArchive
import Storage
import TreeHash
import VaultModel

/// Decides what the remains of one archive uid are (Docs/Formats/Rebuild-v1.md §3). Reads only; safe to use for many archives at once.
struct ArchiveJudge: Sendable {
    let store: any BlobStore
    let keyring: Keyring
    let compute: BlockingPool
    let random: any RandomByteSource
    let options: RebuildOptions
    let now: Timestamp

    var reader: RecordReader { RecordReader(store: store) }
    /// When what a newer record replaced may go.
    var replacedGoes: Timestamp { now.advanced(by: options.grace) }

    func judge(_ remains: ArchiveRemains, in scene: VaultScene) async throws -> ArchiveJudgement {
        var verdict = ArchiveJudgement()
        let names = scene.name(of: remains.uid)
        if remains.excess > 0 {
            verdict.findings.append(
                RebuildFinding(.unnamed, names.manifest(0), "\(remains.excess) more blobs of this archive than are looked at"))
        }
        let deletion = try await newestDeletion(of: remains, in: scene, &verdict)
        let manifest = try await newestManifest(of: remains, in: scene, &verdict)
        if let deletion { verdict.changed(deletion.deleted) }
        if let manifest { verdict.changed(Timestamp(milliseconds: manifest.manifest.createdMilliseconds)) }
        switch (deletion, manifest) {
        case (let deletion?, let manifest?):
            verdict.archive = try row(manifest, remains.uid, in: scene, deletion: deletion)
        case (let deletion?, nil):
            doomAll(of: remains, names, at: deletion.graceEnds, &verdict)
            verdict.isPurged = verdict.doomed.isEmpty
        case (nil, let manifest?) where !scene.isDeleted:
            try await keep(manifest, remains, in: scene, &verdict)
        case (nil, _) where !remains.manifests.isEmpty:
            unrestored(remains, names, in: scene, isVerified: manifest != nil, &verdict)
        default:
            try await judgeUpload(remains, in: scene, &verdict)
        }
        return verdict
    }

    // MARK: records

    private func newestDeletion(
        of remains: ArchiveRemains, in scene: VaultScene, _ verdict: inout ArchiveJudgement
    ) async throws -> RecordedDeletion? {
        try await newest(remains.deletions, .deletion, of: remains.uid, in: scene, scene.name(of: remains.uid).deletion, &verdict) {
            record, _ in RecordedDeletion(record)
        }
    }

    func newestUpload(
        of remains: ArchiveRemains, in scene: VaultScene, _ verdict: inout ArchiveJudgement
    ) async throws -> (upload: RecordedUpload, keyVersion: UInt32)? {
        try await newest(remains.uploads, .upload, of: remains.uid, in: scene, scene.name(of: remains.uid).upload, &verdict) {
            record, version in RecordedUpload(record, archive: remains.uid).map { ($0, version) }
        }
    }

    /// The record of the highest generation that verifies; those above it are findings.
    private func newest<Fact>(
        _ generations: [UInt64], _ type: RecordType, of archive: ArchiveUID, in scene: VaultScene, _ name: (UInt64) -> String,
        _ verdict: inout ArchiveJudgement, _ read: (StateRecord, UInt32) -> Fact?
    ) async throws -> Fact? {
        let location = scene.vault.location
        var passedOver: [(String, any Error)] = []
        var found: Fact?
        for generation in generations.reversed() where found == nil {
            let name = name(generation)
            do {
                let (record, version) = try await reader.record(
                    try blobID(name), type, uid: archive.bytes, generation: generation, account: location.account,
                    vault: scene.vault.uid
                ) { try keyring.key(of: scene.vault, version: $0) }
                guard let fact = read(record, version) else { throw FormatError.malformed("body of a record of type \(type)") }
                verdict.saw(Timestamp(milliseconds: record.createdMilliseconds))
                verdict.keyVersions.insert(version)
                found = fact
            } catch where RecordReader.condemns(error) {
                passedOver.append((name, error))
            }
        }
        verdict.findings += passedOver.map { RebuildFinding(damagedBy: $1, $0, isStale: found != nil) }
        return found
    }

    // MARK: manifests

    struct OpenedManifest: Sendable {
        let manifest: Manifest
        let keyVersion: UInt32
    }

    private func newestManifest(
        of remains: ArchiveRemains, in scene: VaultScene, _ verdict: inout ArchiveJudgement
    ) async throws -> OpenedManifest? {
        let names = scene.name(of: remains.uid)
        var passedOver: [(String, any Error)] = []
        var found: OpenedManifest?
        for (generation, bytes) in remains.manifests.reversed() where found == nil {
            let name = names.manifest(generation)
            do {
                let blob = try await reader.bytes(of: try blobID(name), size: bytes, maxBytes: SealedBlob.maxBlobBytes)
                found = try await open(blob, of: remains.uid, generation: generation, in: scene)
            } catch where RecordReader.condemns(error) {
                passedOver.append((name, error))
            }
        }
        if let found { verdict.keyVersions.insert(found.keyVersion) }
        verdict.findings += passedOver.map { RebuildFinding(damagedBy: $1, $0, isStale: found != nil) }
        return found
    }

    /// Small manifests are opened here; ten thousand parts would hold up whoever shares the thread.
    private static let inlineBytes = 64 << 10

    private func open(
        _ blob: [UInt8], of archive: ArchiveUID, generation: UInt64, in scene: VaultScene
    ) async throws -> OpenedManifest {
        guard blob.count > Self.inlineBytes else { return try verified(blob, archive, generation, scene) }
        return try await compute.run { try verified(blob, archive, generation, scene) }
    }

    private func verified(
        _ blob: [UInt8], _ archive: ArchiveUID, _ generation: UInt64, _ scene: VaultScene
    ) throws -> OpenedManifest {
        let (vault, names) = (scene.vault, scene.name(of: archive))
        let version = try BlobPreamble(parsing: blob).index
        let vaultKey = try keyring.key(of: vault, version: version)
        let opened = try SealedBlob.open(
            blob, expecting: BlobExpectation(.manifest, uid: archive.bytes, index: version, number: generation),
            account: names.account, vaultUID: names.vault, key: vaultKey)
        let manifest = try Manifest(decoding: opened.plaintext)
        guard manifest.account == names.account, manifest.vaultUID == names.vault, manifest.archiveUID == archive.bytes,
            manifest.generation == generation
        else { throw FormatError.wrongIdentity("a manifest that is not what its name says") }
        let identifier = keyring.identifiers.parse(manifest.archiveID, kind: .archive, account: vault.location.account)
        guard let identifier, identifier.uid == archive.words, identifier.vault == vault.uid else {
            throw FormatError.wrongIdentity("a manifest with an archive id that was never issued for it")
        }
        let services = manifest.keys.filter { $0.kind == WrappedKey.serviceKind }
        if !services.isEmpty {
            guard let wrap = services.first(where: { $0.version == version }) else {
                throw FormatError.malformed("manifest without a service wrap of key version \(version)")
            }
            _ = try KeyWrap.unwrap(wrap.wrapped, under: vaultKey, context: ArchiveBirth.wrapContext(vault, archive))
        }
        for part in manifest.parts where part.blob != names.part(part.index, part.number) {
            throw FormatError.wrongIdentity("a manifest with a part of another archive")
        }
        guard TreeHash.combine(manifest.parts.map(\.treeHash)) == manifest.treeHash else {
            throw FormatError.malformed("manifest: its parts do not make its tree hash")
        }
        return OpenedManifest(manifest: manifest, keyVersion: version)
    }

    private func row(
        _ opened: OpenedManifest, _ uid: ArchiveUID, in scene: VaultScene, deletion: RecordedDeletion? = nil
    ) throws -> ArchiveRow {
        let manifest = opened.manifest
        let column = ArchiveColumn(description: manifest.description, treeHash: manifest.treeHash)
        return ArchiveRow(
            uid: uid, id: manifest.archiveID, vault: scene.vault.uid, state: deletion == nil ? .stored : .deleted,
            created: Timestamp(milliseconds: manifest.createdMilliseconds), size: manifest.size,
            partCount: UInt32(manifest.parts.count), generation: manifest.generation, keyVersion: opened.keyVersion,
            sealed: try keyring.seal(
                column, uid: uid.bytes, version: opened.keyVersion, key: keyring.key(of: scene.vault, version: opened.keyVersion),
                random: random),
            deleted: deletion?.deleted, purgeAfter: deletion?.graceEnds)
    }

    // MARK: verdicts

    private func keep(
        _ opened: OpenedManifest, _ remains: ArchiveRemains, in scene: VaultScene, _ verdict: inout ArchiveJudgement
    ) async throws {
        let names = scene.name(of: remains.uid)
        var faults = ArchiveFaults(parts: opened.manifest.parts.count)
        for part in opened.manifest.parts { try await check(part, remains, &faults, &verdict) }
        var archive = try row(opened, remains.uid, in: scene)
        archive.damage = faults.reason.map { ArchiveDamage(found: now, reason: $0) }
        verdict.archive = archive
        // Older manifests were replaced, and so was every lower write of a part.
        for (generation, _) in remains.manifests where generation < opened.manifest.generation {
            verdict.doomed.append(DoomedBlob(id: names.manifest(generation), store: .cold, notBefore: replacedGoes))
        }
        let pinned = Dictionary(opened.manifest.parts.map { ($0.index, $0.number) }) { first, _ in first }
        for part in remains.parts {
            guard let number = pinned[part.index], part.number < number else {
                if pinned[part.index] != part.number {
                    verdict.findings.append(
                        RebuildFinding(.unnamed, names.part(part.index, part.number), "a write that its archive does not name"))
                }
                continue
            }
            verdict.doomed.append(DoomedBlob(id: names.part(part.index, part.number), store: .cold, notBefore: replacedGoes))
        }
        try await rememberUpload(remains, completed: opened.manifest, in: scene, &verdict)
    }

    /// Looks a part's blob up and, if asked to, hashes it.
    private func check(
        _ part: ManifestPart, _ remains: ArchiveRemains, _ faults: inout ArchiveFaults, _ verdict: inout ArchiveJudgement
    ) async throws {
        var size = remains.bytes(ofPart: part.index, number: part.number)
        // Of very many blobs not all names were kept.
        if size == nil, remains.excess > 0 { size = try await store.size(of: try blobID(part.blob)) }
        guard let size else { return fault("is missing") }
        guard size == part.ciphertextBytes else { return fault("has \(size) bytes where \(part.ciphertextBytes) were written") }
        guard options.verifyData else { return }
        do {
            let digest = try await BlobHash(store: store, compute: compute).digest(of: try blobID(part.blob), bytes: size)
            verdict.verifiedBytes += size
            if digest != part.ciphertextSHA256 { fault("does not have the hash of what was written") }
        } catch where RecordReader.condemns(error) {
            fault("cannot be read")
        }

        func fault(_ what: String) {
            faults.add("part \(part.index) \(what)")
            verdict.findings.append(RebuildFinding(.part, part.blob, what))
        }
    }

    /// Manifests that do not count: none verifies, or the vault was deleted.
    private func unrestored(
        _ remains: ArchiveRemains, _ names: ArchiveNames, in scene: VaultScene, isVerified: Bool, _ verdict: inout ArchiveJudgement
    ) {
        let blobs = "\(remains.parts.count) part blobs are left where they are"
        let subject = names.manifest(remains.manifests.last?.generation ?? 0)
        verdict.findings.append(
            isVerified
                ? RebuildFinding(.unnamed, subject, "an archive in a deleted vault; \(blobs)")
                : RebuildFinding(.lost, subject, "no manifest of archive \(remains.uid) verifies; \(blobs)"))
    }

    func doomAll(
        of remains: ArchiveRemains, _ names: ArchiveNames, at moment: Timestamp, _ verdict: inout ArchiveJudgement
    ) {
        let manifests = remains.manifests.map { names.manifest($0.generation) }
        let parts = remains.parts.map { names.part($0.index, $0.number) }
        let uploads = remains.uploads.map(names.upload)
        verdict.doomed += (manifests + parts + uploads).map { DoomedBlob(id: $0, store: .cold, notBefore: moment) }
    }
}

/// What is wrong with an archive, in a few words.
struct ArchiveFaults {
    let parts: Int
    private var count = 0
    private var first = ""

    init(parts: Int) { self.parts = parts }

    mutating func add(_ fault: String) {
        if count == 0 { first = fault }
        count += 1
    }

    var reason: String? {
        switch count {
        case 0: nil
        case 1: first
        default: "\(first); \(count) of \(parts) parts are at fault"
        }
    }
}

extension RebuildFinding {
    /// Of a record or manifest that was not accepted.
    init(damagedBy error: any Error, _ name: String, isStale: Bool) {
        let isNewer = (error as? FormatError)?.needsNewerVersion ?? false
        let reason: String =
            switch error {
            case let error as FormatError: error.description
            case let error as SealError: error.description
            case let error as StorageError: error.message
            case let error as VaultError: error.message
            default: "\(error)"
            }
        self.init(isNewer ? .newer : .damaged, name, reason, isStale: isStale)
    }
}
