// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import SealedArchive
import Storage
import TreeHash
import VaultModel

/// Uploads: what has neither a deletion record nor a manifest that counts.
extension ArchiveJudge {
    func judgeUpload(
        _ remains: ArchiveRemains, in scene: VaultScene, _ verdict: inout ArchiveJudgement
    ) async throws {
        let names = scene.name(of: remains.uid)
        guard let (upload, keyVersion) = try await newestUpload(of: remains, in: scene, &verdict) else {
            if let part = remains.parts.last {
                verdict.findings.append(
                    RebuildFinding(
                        .unnamed, names.part(part.index, part.number),
                        "\(remains.parts.count) part blobs of an archive without a manifest or upload record"))
            }
            return
        }
        verdict.saw(upload.created)
        guard upload.state == .open, !scene.isDeleted else {
            for part in remains.parts {
                verdict.doomed.append(DoomedBlob(id: names.part(part.index, part.number), store: .cold, notBefore: now))
            }
            if !scene.isDeleted, isRemembered(upload.recorded) {
                verdict.upload = try row(
                    upload, keyVersion, remains.uid, .aborted, lastActivity: upload.recorded, in: scene, &verdict
                ).map { RebuiltUpload(row: $0) }
            }
            return
        }
        doomReplacedRecords(remains, below: upload.generation, names, &verdict)
        guard var row = try row(upload, keyVersion, remains.uid, .open, lastActivity: upload.created, in: scene, &verdict)
        else { return }
        let parts = try await openParts(of: upload, row, remains, in: scene, &verdict)
        row.revision = UInt64(parts.count)
        for part in parts { row.lastActivity = max(row.lastActivity, Timestamp(milliseconds: Int64(clamping: part.number >> 11))) }
        verdict.saw(row.lastActivity)
        verdict.upload = RebuiltUpload(row: row, parts: parts)
    }

    /// The row of the upload that an archive came from, while clients may still repeat the completion.
    func rememberUpload(
        _ remains: ArchiveRemains, completed manifest: Manifest, in scene: VaultScene, _ verdict: inout ArchiveJudgement
    ) async throws {
        let completed = Timestamp(milliseconds: manifest.createdMilliseconds)
        guard !remains.uploads.isEmpty, isRemembered(completed),
            let (upload, keyVersion) = try await newestUpload(of: remains, in: scene, &verdict)
        else { return }
        verdict.upload = try row(
            upload, keyVersion, remains.uid, .completed, lastActivity: max(upload.created, completed), in: scene, &verdict
        ).map { RebuiltUpload(row: $0) }
    }

    private func isRemembered(_ closed: Timestamp) -> Bool { now < closed.advanced(by: options.closedUploadMemory) }

    private func doomReplacedRecords(
        _ remains: ArchiveRemains, below generation: UInt64, _ names: ArchiveNames, _ verdict: inout ArchiveJudgement
    ) {
        for older in remains.uploads where older < generation {
            verdict.doomed.append(DoomedBlob(id: names.upload(older), store: .cold, notBefore: replacedGoes))
        }
    }

    /// Nil, with a finding, when its identifiers are not ones that were issued for it.
    private func row(
        _ upload: RecordedUpload, _ keyVersion: UInt32, _ archive: ArchiveUID, _ state: UploadRow.State,
        lastActivity: Timestamp, in scene: VaultScene, _ verdict: inout ArchiveJudgement
    ) throws -> UploadRow? {
        let vault = scene.vault
        let account = vault.location.account
        guard let id = keyring.identifiers.parse(upload.uploadID, kind: .upload, account: account), id.vault == vault.uid,
            let archiveID = keyring.identifiers.parse(upload.archiveID, kind: .archive, account: account),
            archiveID.uid == archive.words, archiveID.vault == vault.uid, upload.wrap.version == keyVersion
        else {
            verdict.findings.append(
                RebuildFinding(
                    .damaged, scene.name(of: archive).upload(upload.generation),
                    "an upload record with identifiers that were never issued for it"))
            return nil
        }
        let uid = UploadUID(words: id.uid)
        return UploadRow(
            uid: uid, id: upload.uploadID, vault: vault.uid, archive: archive, archiveID: upload.archiveID, state: state,
            created: upload.created, lastActivity: lastActivity, partBytes: upload.partBytes, generation: upload.generation,
            keyVersion: keyVersion, revision: 0, wrappedDataKey: upload.wrap.wrapped,
            sealed: try keyring.seal(
                UploadColumn(description: upload.description), uid: uid.bytes, version: keyVersion,
                key: keyring.key(of: vault, version: keyVersion), random: random))
    }

    // MARK: parts

    /// Of each index the highest write that verifies; lower writes are doomed, higher ones are findings.
    private func openParts(
        of upload: RecordedUpload, _ row: UploadRow, _ remains: ArchiveRemains, in scene: VaultScene,
        _ verdict: inout ArchiveJudgement
    ) async throws -> [PartRow] {
        let names = scene.name(of: remains.uid)
        let birth: ArchiveBirth
        do {
            birth = try ArchiveBirth(of: row, in: scene.vault, keyring: keyring)
        } catch where RecordReader.condemns(error) {
            verdict.findings.append(RebuildFinding(damagedBy: error, names.upload(upload.generation), isStale: false))
            return []
        }
        var rows: [PartRow] = []
        var replaced: [DoomedBlob] = []
        // From the end: of equal indices the highest number comes first.
        for part in remains.parts.reversed() {
            let name = names.part(part.index, part.number)
            if rows.last?.index == part.index {
                replaced.append(DoomedBlob(id: name, store: .cold, notBefore: replacedGoes))
                continue
            }
            do {
                rows.append(try await verifiedPart(part, of: upload, row, birth, named: name, in: scene))
                verdict.verifiedBytes += part.bytes
            } catch where RecordReader.condemns(error) {
                verdict.findings.append(
                    RebuildFinding(.part, name, "a part of an open upload does not verify: \(RebuildFinding(damagedBy: error, "", isStale: false).reason)"))
            }
        }
        verdict.doomed += replaced
        return rows.reversed()
    }

    /// Opens every frame and computes what the catalog says about a part.
    private func verifiedPart(
        _ part: ArchiveRemains.Part, of upload: RecordedUpload, _ row: UploadRow, _ birth: ArchiveBirth, named name: String,
        in scene: VaultScene
    ) async throws -> PartRow {
        let vault = scene.vault
        let blob = try blobID(name)
        let scratch = PartScratch()
        let prefix = try await store.read(blob, range: 0..<min(part.bytes, UInt64(PartFormat.prefixBytes)))
        guard let header = SealHeader(bytes: prefix.readableBytesView.dropFirst(BlobPreamble.byteCount).prefix(Seal.headerBytes))
        else { throw FormatError.seal(.truncated) }
        let source = PartSource(
            blob: blob, blobBytes: part.bytes, length: nil, treeHash: nil,
            expectation: BlobExpectation(.part, uid: row.archive.bytes, index: part.index, number: part.number),
            sealHeader: header, account: vault.location.account, vault: vault.uid, key: birth.dataKey)
        let opened = try await PartReader.open(source, in: store, compute: compute, scratch: scratch)
        let length = opened.length
        guard (1...upload.partBytes).contains(length), part.index < UInt32(Limits.maxParts) else {
            throw FormatError.malformed("part of \(length) bytes in an upload with parts of \(upload.partBytes)")
        }
        try await opened.forEachFrame(first: 0, last: length - 1) { _, _ in }
        let column = PartColumn(
            treeHash: TreeHash.combine(opened.entries.map(\.digest)),
            ciphertextSHA256: try await BlobHash(store: store, compute: compute).digest(of: blob, bytes: part.bytes),
            sealHeader: header)
        return PartRow(
            upload: row.uid, index: part.index, number: part.number, length: length, blob: name, blobBytes: part.bytes,
            sealed: try keyring.seal(
                column, uid: VaultEngine.partRowUID(row.uid, part.index), version: row.keyVersion, key: birth.vaultKey,
                random: random))
    }
}
