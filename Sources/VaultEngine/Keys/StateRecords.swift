// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// Writing state records (Docs/Formats/Record-v1.md): durable before the catalog commit that they stand behind.
extension VaultEngine {
    /// A record that is durable.
    struct WrittenRecord: Sendable {
        let blob: BlobID
        let generation: UInt64
    }

    /// Names are write-once, and a crash may have left records whose commit never came; in each round somebody else was faster.
    static let maxRounds = 8

    func writeUploadRecord(
        _ upload: UploadRow, description: String, in vault: VaultRow, from generation: UInt64
    ) async throws -> WrittenRecord {
        try await write(
            .upload, body: Self.body(of: upload, description, in: vault), uid: upload.archive.bytes, account: vault.location.account,
            vault: vault.uid, key: try keyring.key(of: vault, version: upload.keyVersion), keyVersion: upload.keyVersion,
            from: generation, name: Self.uploadName(upload, in: vault))
    }

    /// The record of an upload that is aborted, announced first. Nil when it is not open any more.
    func writeAbortRecord(_ upload: UploadRow, description: String, in vault: VaultRow) async throws -> WrittenRecord? {
        let key = try keyring.key(of: vault, version: upload.keyVersion)
        let name = Self.uploadName(upload, in: vault)
        return try await announced(.abort(of: upload.uid), from: upload.generation + 1, name: name) {
            try await write(
                .upload, body: Self.body(of: upload, description, in: vault), uid: upload.archive.bytes,
                account: vault.location.account, vault: vault.uid, key: key, keyVersion: upload.keyVersion, exactly: $0,
                freesRoom: true, name: name)
        }
    }

    private static func uploadName(_ upload: UploadRow, in vault: VaultRow) -> @Sendable (UInt64) -> BlobName {
        {
            BlobName.upload(
                account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: upload.archive.bytes, generation: $0)
        }
    }

    private static func body(of upload: UploadRow, _ description: String, in vault: VaultRow) -> [String: JSONValue] {
        [
            "uploadId": .string(upload.id), "archiveId": .string(upload.archiveID), "archiveUid": .string(upload.archive.hex),
            "partSize": .integer(Int64(upload.partBytes)), "description": .string(description),
            "state": .string(upload.state.rawValue), "created": .integer(upload.created.milliseconds),
            "keys": [
                [
                    "kind": "service", "keyId": .string(vault.uid.hex), "version": .integer(Int64(upload.keyVersion)),
                    "parameters": .object([:]), "wrapped": .string(Base64.encode(upload.wrappedDataKey)),
                ]
            ],
        ]
    }

    /// Announced first. Nil when the archive is not stored any more.
    func writeDeletionRecord(
        _ archive: ArchiveRow, in vault: VaultRow, at now: Timestamp, purgeAfter: Timestamp
    ) async throws -> WrittenRecord? {
        let (version, key) = try keyring.currentKey(of: vault)
        let body: [String: JSONValue] = [
            "archiveId": .string(archive.id), "deleted": .integer(now.milliseconds), "graceEnds": .integer(purgeAfter.milliseconds),
            "manifestGeneration": .integer(Int64(archive.generation)), "parts": .integer(Int64(archive.partCount)),
        ]
        let name: @Sendable (UInt64) -> BlobName = {
            BlobName.deletion(
                account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: archive.uid.bytes, generation: $0)
        }
        return try await announced(.deletion(of: archive.uid), from: UInt64(max(1, now.milliseconds)), name: name) {
            try await write(
                .deletion, body: body, uid: archive.uid.bytes, account: vault.location.account, vault: vault.uid, key: key,
                keyVersion: version, exactly: $0, freesRoom: true, name: name)
        }
    }

    /// Seals and stores a record under `generation` or, where that name is taken, above all that are; never under a name that is doomed.
    func write(
        _ type: RecordType, body: [String: JSONValue], uid: [UInt8], account: AccountID, vault: VaultUID, key: SecretKey,
        keyVersion: UInt32, from generation: UInt64, freesRoom: Bool = false,
        name: @Sendable (UInt64) -> BlobName
    ) async throws -> WrittenRecord {
        var generation = generation
        for _ in 0..<Self.maxRounds {
            generation = try await undoomed(from: generation) { try blobID(name($0).text) }
            let written = try await write(
                type, body: body, uid: uid, account: account, vault: vault, key: key, keyVersion: keyVersion,
                exactly: generation, freesRoom: freesRoom, name: name)
            if let written { return written }
            generation = (try await recordNames(above: generation, name).last?.generation ?? generation) + 1
        }
        throw VaultError(.unavailable, "Others are changing the same thing. Please try again.")
    }

    /// Nil when the name is taken: then nothing was written.
    func write(
        _ type: RecordType, body: [String: JSONValue], uid: [UInt8], account: AccountID, vault: VaultUID, key: SecretKey,
        keyVersion: UInt32, exactly generation: UInt64, freesRoom: Bool = false,
        name: @Sendable (UInt64) -> BlobName
    ) async throws -> WrittenRecord? {
        let record = StateRecord(
            type: type, generation: generation, createdMilliseconds: clock.now().milliseconds, account: account.digits,
            vaultUID: vault.bytes, body: body)
        let blob = try SealedBlob.seal(
            plaintext: record.encode(),
            preamble: BlobPreamble(kind: .record, uid: uid, index: keyVersion, number: generation),
            account: account.digits, vaultUID: vault.bytes, key: key, random: random)
        let id = try blobID(name(generation).text)
        guard try await putUnlessTaken(id, ByteBuffer(bytes: blob), in: freesRoom ? reserve : cold) else { return nil }
        return WrittenRecord(blob: id, generation: generation)
    }

    /// The names above `generation` that are taken, in order; of very many the newest thousand. One listing.
    func recordNames(
        above generation: UInt64, _ name: (UInt64) -> BlobName
    ) async throws -> [WrittenRecord] {
        let first = try blobID(name(generation).text)
        // Names end with the generation in a fixed width.
        let prefix = String(first.name.dropLast(Self.generationDigits))
        var after = first
        var names: [WrittenRecord] = []
        while true {
            let page = try await cold.list(prefix: prefix, after: after, limit: 1000)
            for entry in page {
                let digits = entry.id.name.dropFirst(prefix.count)
                // What no record can say is nobody's name.
                guard digits.utf8.count == Self.generationDigits, let number = UInt64(digits),
                    number < Self.generationLimit
                else { continue }
                names.append(WrittenRecord(blob: entry.id, generation: number))
            }
            names.removeFirst(max(0, names.count - 1000))
            guard page.count == 1000, let last = page.last else { return names }
            after = last.id
        }
    }

    private static let generationDigits = 20
    /// Half of what the numbers of a document can say.
    private static let generationLimit: UInt64 = 1 << 52

    private func putUnlessTaken(_ id: BlobID, _ bytes: ByteBuffer, in store: any BlobStore) async throws -> Bool {
        do throws(StorageError) {
            try await store.putAll([(id, bytes)])
            return true
        } catch {
            guard error.code == .alreadyExists else { throw error }
            return false
        }
    }
}
