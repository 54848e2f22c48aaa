// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
public import Cryptography
import Execution
public import NIOCore
import SealedArchive
import Storage
public import VaultModel

extension VaultEngine {
    /// Begins a multipart upload; everything that will name the archive is minted now. Durable on return; the result is the upload id.
    public func initiateUpload(
        _ location: VaultLocation, partBytes: UInt64, description: String, by caller: Caller? = nil
    ) async throws(VaultError) -> String {
        guard UploadLifeCycle.isValidPartSize(partBytes) else {
            throw VaultError(
                .invalidParameter,
                "Invalid part size: \(partBytes). Part size must not be null, must be a power of two and be between 1048576 and 4294967296 bytes.")
        }
        return try await vaultErrors("beginning an upload") {
            let vault = try await activeVault(location)
            let birth = try ArchiveBirth(in: vault, keyring: keyring, random: random)
            let uid = UploadUID(random: random)
            let id = keyring.identifiers.mint(
                .upload, uid: uid.words, vault: vault.uid, account: location.account, random: random)
            let now = clock.now()
            let row = UploadRow(
                uid: uid, id: id.text, vault: vault.uid, archive: birth.uid, archiveID: birth.id, state: .open, created: now,
                lastActivity: now, partBytes: partBytes, generation: 1, keyVersion: birth.keyVersion, revision: 0,
                wrappedDataKey: birth.wrappedDataKey,
                sealed: try keyring.seal(
                    UploadColumn(description: description), uid: uid.bytes, version: birth.keyVersion, key: birth.vaultKey,
                    random: random))
            let record = try await writeUploadRecord(row, description: description, in: vault, from: 1)
            guard try await catalog.insertUpload(
                row,
                audit: try audit(
                    .vault(
                        location, .archive, "glacier:InitiateMultipartUpload", by: AuditActor(caller),
                        ["uploadId": .string(id.text), "keyVersion": .integer(Int64(birth.keyVersion))]))) else {
                try await doom([record.blob], of: .cold)
                throw Messages.vaultNotFound(location)
            }
            openUploads.insert(uid)
            return id.text
        }
    }

    /// Stores (or replaces) one part. Everything that can be judged is judged before the body is read; on any error nothing is stored.
    /// Durable on return; the result is the part's tree hash.
    public func uploadPart<Body: AsyncSequence & Sendable>(
        _ request: UploadPartRequest, body: Body
    ) async throws(VaultError) -> SHA256Digest where Body.Element == ByteBuffer {
        try await vaultErrors("storing a part") {
            let vault = try await activeVault(request.location)
            let upload = try await openUpload(request.uploadID, in: vault)
            try await checkOpen(upload, in: vault)
            let index = try UploadLifeCycle(partBytes: upload.partBytes).index(of: request.range)
            let memory = try await requestMemory(
                PartIntake.workingBytes(partBytes: request.range.count), for: request.location.account)
            defer { memory.release() }
            let birth = try ArchiveBirth(of: upload, in: vault, keyring: keyring)
            let stored = try await catalog.part(upload.uid, index: index)
            let number = Self.writeNumber(after: stored?.number, at: clock.now(), random)
            let intake = PartIntake(
                engine: self, vault: vault, archive: upload.archive, dataKey: birth.dataKey, index: index, number: number,
                length: request.range.count)
            let draft = try await intake.receive(body)
            do {
                try draft.check(treeHash: request.treeHash, linearHash: request.linearHash)
            } catch {
                await draft.abandon()
                throw error
            }
            return try await commitPart(draft, upload: upload, birth: birth, index: index, number: number)
        }
    }

    /// The number of a write; the highest wins. The moment in milliseconds, or the next after that of `stored` where the clock has not gone on,
    /// and 11 random bits that keep apart writers of the same moment, because the number is part of a blob's name. Below 2^53, as numbers in
    /// documents must be, until 2109.
    static func writeNumber(after stored: UInt64?, at now: Timestamp, _ random: any RandomByteSource) -> UInt64 {
        let noise = random.bytes(2).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } & 0x7FF
        let moment = max(UInt64(max(0, now.milliseconds)), stored.map { ($0 >> 11) + 1 } ?? 0)
        return moment << 11 | noise
    }

    private func commitPart(
        _ draft: PartDraft, upload: UploadRow, birth: ArchiveBirth, index: UInt32, number: UInt64
    ) async throws -> SHA256Digest {
        let summary = draft.summary
        let column = PartColumn(
            treeHash: summary.treeHash, ciphertextSHA256: summary.ciphertextSHA256, sealHeader: summary.sealHeader)
        let row = PartRow(
            upload: upload.uid, index: index, number: number, length: summary.length, blob: draft.blob.name,
            blobBytes: summary.sealedBytes,
            sealed: try keyring.seal(
                column, uid: Self.partRowUID(upload.uid, index), version: birth.keyVersion, key: birth.vaultKey, random: random))
        return try await withCompletionGuaranteed { [self] in
            do {
                try await draft.commit(with: [], in: cold)
            } catch {
                await draft.abandon()
                try await doomUnlessUnknown([draft.blob], after: error)
                throw error
            }
            do {
                switch try await catalog.commitPart(row, at: clock.now()) {
                case .stored, .superseded: return summary.treeHash
                case .uploadClosed:
                    try await doom([draft.blob], of: .cold)
                    throw Messages.uploadNotFound(upload.id)
                }
            } catch let error as StorageError {
                try await doomUnlessUnknown([draft.blob], after: error)
                throw error
            }
        }
    }

    /// The row of a part has no uid of its own: the upload's, with the index folded into the last four bytes.
    static func partRowUID(_ upload: UploadUID, _ index: UInt32) -> [UInt8] {
        upload.bytes + [UInt8(index >> 24 & 255), UInt8(index >> 16 & 255), UInt8(index >> 8 & 255), UInt8(index & 255)]
    }

    /// Makes the archive out of the parts; copies no data. Repeating it soon after gives the same archive. Durable on return.
    public func completeUpload(
        _ location: VaultLocation, uploadID: String, size: UInt64, treeHash: SHA256Digest, by caller: Caller? = nil
    ) async throws(VaultError) -> StoredArchive {
        try await vaultErrors("completing an upload") {
            let vault = try await activeVault(location)
            let upload = try await findUpload(uploadID, in: vault)
            switch upload.state {
            case .aborted: throw Messages.uploadNotFound(uploadID)
            case .completed: return try await completedBefore(upload, vault: vault, size: size, treeHash: treeHash)
            case .open: break
            }
            let memory = try await requestMemory(Self.completionBytes, for: location.account)
            defer { memory.release() }
            let birth = try ArchiveBirth(of: upload, in: vault, keyring: keyring)
            do {
                let parts = try await storedParts(of: upload, vault: vault)
                try await compute.run {
                    try UploadLifeCycle(partBytes: upload.partBytes).verify(
                        parts.map { ($0.index, $0.length, $0.treeHash) }, size: size, treeHash: treeHash)
                }
                try await checkOpen(upload, in: vault, orCompletedWith: parts)
                let description = try keyring.open(upload.sealed, as: UploadColumn.self, uid: upload.uid.bytes, of: vault).description
                return try await commitArchive(
                    birth, vault: vault, parts: parts, treeHash: treeHash, description: description,
                    upload: (upload.uid, upload.revision), draft: nil, by: caller)
            } catch let error as VaultError where error.code == .notFound || error.code == .invalidParameter {
                // Another request may have closed it in between, and taken the parts away: then its answer is this one's.
                let now = try await findUpload(uploadID, in: vault)
                switch now.state {
                case .open: throw error
                case .aborted: throw Messages.uploadNotFound(uploadID)
                case .completed: return try await completedBefore(now, vault: vault, size: size, treeHash: treeHash)
                }
            }
        }
    }

    /// A manifest of 10,000 parts and what it is made of.
    static let completionBytes = 32 << 20

    private func completedBefore(
        _ upload: UploadRow, vault: VaultRow, size: UInt64, treeHash: SHA256Digest
    ) async throws -> StoredArchive {
        guard let archive = try await catalog.archive(upload.archive), archive.state == .stored else {
            throw Messages.uploadNotFound(upload.id)
        }
        let column = try keyring.open(archive.sealed, as: ArchiveColumn.self, uid: archive.uid.bytes, of: vault)
        guard archive.size == size else {
            throw VaultError(.invalidParameter, "Invalid x-amz-archive-size: \(size). The upload was completed with \(archive.size) bytes.")
        }
        guard column.treeHash == treeHash else {
            throw VaultError(.invalidParameter, "Invalid x-amz-sha256-tree-hash: \(treeHash)")
        }
        return StoredArchive(archiveID: archive.id, treeHash: column.treeHash)
    }

    private func storedParts(of upload: UploadRow, vault: VaultRow) async throws -> [ManifestPart] {
        var parts: [ManifestPart] = []
        var next: UInt32 = 0
        while parts.count <= Limits.maxParts {
            let page = try await catalog.parts(upload.uid, from: next, limit: 1000)
            let opened = try await compute.run { [self] in
                try page.map { row -> ManifestPart in
                    let column = try keyring.open(
                        row.sealed, as: PartColumn.self, uid: Self.partRowUID(row.upload, row.index), of: vault)
                    return ManifestPart(
                        blob: row.blob, length: row.length, treeHash: column.treeHash, ciphertextBytes: row.blobBytes,
                        ciphertextSHA256: column.ciphertextSHA256, index: row.index, number: row.number,
                        sealHeader: column.sealHeader)
                }
            }
            parts += opened
            guard page.count == 1000, let last = page.last else { break }
            next = last.index + 1
        }
        return parts
    }

    /// Gives the upload up; repeating it soon after succeeds too. Durable on return.
    public func abortUpload(
        _ location: VaultLocation, uploadID: String, by caller: Caller? = nil
    ) async throws(VaultError) {
        try await vaultErrors("aborting an upload") {
            let vault = try await activeVault(location)
            let upload = try await findUpload(uploadID, in: vault)
            switch upload.state {
            case .aborted: return
            case .completed: throw Messages.uploadNotFound(uploadID)
            case .open: try await checkOpen(upload, in: vault)
            }
            guard try await freeingRoom({ try await abort(upload, in: vault, by: AuditActor(caller)) }) else { throw Messages.uploadNotFound(uploadID) }
        }
    }

    /// False when it was completed meanwhile. Also run for uploads that nobody touched for too long.
    func abort(_ upload: UploadRow, in vault: VaultRow, by actor: AuditActor) async throws -> Bool {
        var aborted = upload
        aborted.state = .aborted
        let description = try keyring.open(upload.sealed, as: UploadColumn.self, uid: upload.uid.bytes, of: vault).description
        guard let record = try await writeAbortRecord(aborted, description: description, in: vault) else {
            return try await catalog.upload(upload.uid)?.state == .aborted
        }
        let audit = try audit(
            .vault(
                vault.location, .archive, "glacier:AbortMultipartUpload", by: actor, ["uploadId": .string(upload.id)]))
        switch try await catalog.abortUpload(
            upload.uid, generation: record.generation, at: clock.now(), record: record.blob.name, audit: audit)
        {
        case .aborted:
            // The open record, with the wrapped data key, has been replaced.
            let open = BlobName.upload(
                account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: upload.archive.bytes,
                generation: upload.generation)
            try await doom([try blobID(open.text)], of: .cold, after: configuration.deletionGrace)
            return true
        case .alreadyAborted:
            try await doom([record.blob], of: .cold)
            return true
        case .completed, .absent:
            try await doom([record.blob], of: .cold)
            return false
        }
    }

    /// The parts received so far, in order. `marker` as an earlier page gave it.
    public func listParts(
        _ location: VaultLocation, uploadID: String, marker: String?, limit: Int
    ) async throws(VaultError) -> PartPage {
        try await vaultErrors("listing parts") {
            let vault = try await activeVault(location)
            let upload = try await openUpload(uploadID, in: vault)
            var from: UInt32 = 0
            if let marker {
                guard let index = ByteRange.decimal(marker), index <= UInt64(Limits.maxParts) else { throw Self.badMarker(marker) }
                from = UInt32(index)
            }
            let rows = try await catalog.parts(upload.uid, from: from, limit: limit + 1)
            let parts = try await compute.run { [self] in
                try rows.prefix(limit).map { row -> PartDescription in
                    let column = try keyring.open(
                        row.sealed, as: PartColumn.self, uid: Self.partRowUID(row.upload, row.index), of: vault)
                    let first = UInt64(row.index) * upload.partBytes
                    guard let range = ByteRange(first: first, last: first + row.length - 1) else {
                        throw VaultError(.integrity, "A part of the catalog has an impossible length.")
                    }
                    return PartDescription(range: range, treeHash: column.treeHash)
                }
            }
            return PartPage(
                upload: try describe(upload, in: vault), parts: parts, next: rows.count > limit ? String(rows[limit].index) : nil)
        }
    }

    /// Open uploads of a vault. `marker` is the id of the first upload of the page.
    public func listUploads(
        _ location: VaultLocation, marker: String?, limit: Int
    ) async throws(VaultError) -> UploadPage {
        try await vaultErrors("listing uploads") {
            let vault = try await activeVault(location)
            var after: UploadUID?
            if let marker {
                guard let id = keyring.identifiers.parse(marker, kind: .upload, account: location.account), id.vault == vault.uid else {
                    throw Self.badMarker(marker)
                }
                after = UploadUID(words: id.uid)
            }
            let position = after
            let rows = try await Self.page(marker) {
                try await catalog.uploads(vault: vault.uid, after: position, limit: limit + 1)
            }
            let page = try await compute.run { [self] in try rows.prefix(limit).map { try describe($0, in: vault) } }
            return UploadPage(uploads: page, next: rows.count > limit ? page.last?.uploadID : nil)
        }
    }

    /// A marker whose row has gone since (an upload forgotten, a job expired) is the caller's to renew, not damage.
    static func page<R>(_ marker: String?, _ read: () async throws -> R) async throws -> R {
        do {
            return try await read()
        } catch let error as StorageError where error.code == .notFound {
            throw badMarker(marker ?? "")
        }
    }

    static func badMarker(_ marker: String) -> VaultError {
        VaultError(.invalidParameter, "Invalid marker: \(marker.prefix(200)). Give the Marker of the page before, unchanged.")
    }

    private func describe(_ upload: UploadRow, in vault: VaultRow) throws -> UploadDescription {
        let column = try keyring.open(upload.sealed, as: UploadColumn.self, uid: upload.uid.bytes, of: vault)
        return UploadDescription(
            uploadID: upload.id, description: column.description, partBytes: upload.partBytes, created: upload.created)
    }

    private func openUpload(_ id: String, in vault: VaultRow) async throws -> UploadRow {
        let upload = try await findUpload(id, in: vault)
        guard upload.state == .open else { throw Messages.uploadNotFound(id) }
        return upload
    }

    /// Any state. A foreign or forged id costs no look-up.
    private func findUpload(_ id: String, in vault: VaultRow) async throws -> UploadRow {
        guard let identifier = keyring.identifiers.parse(id, kind: .upload, account: vault.location.account),
            identifier.vault == vault.uid, let upload = try await catalog.upload(UploadUID(words: identifier.uid)),
            upload.vault == vault.uid
        else { throw Messages.uploadNotFound(id) }
        return upload
    }
}
