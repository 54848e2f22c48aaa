// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// Writing state records (Docs/Formats/Record-v1.md): durable before the catalog commit that they stand behind.
extension VaultEngine {
    /// A record that is durable now.
    struct WrittenRecord: Sendable {
        let blob: BlobID
        let generation: UInt64
    }

    /// Names are write-once, and a crash may have left a record whose commit never came: the next free generation is taken.
    private static let maxGenerationSteps: UInt64 = 64

    func writeUploadRecord(
        _ upload: UploadRow, description: String, in vault: VaultRow, from generation: UInt64
    ) async throws -> WrittenRecord {
        let body: [String: JSONValue] = [
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
        return try await write(
            .upload, body: body, uid: upload.archive.bytes, account: vault.location.account, vault: vault.uid,
            key: try keyring.key(of: vault, version: upload.keyVersion), keyVersion: upload.keyVersion, from: generation,
            freesRoom: upload.state == .aborted
        ) { 
            BlobName.upload(
                account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: upload.archive.bytes, generation: $0)
        }
    }

    func writeDeletionRecord(
        _ archive: ArchiveRow, in vault: VaultRow, at now: Timestamp, purgeAfter: Timestamp
    ) async throws -> WrittenRecord {
        let (version, key) = try keyring.currentKey(of: vault)
        let body: [String: JSONValue] = [
            "archiveId": .string(archive.id), "deleted": .integer(now.milliseconds), "graceEnds": .integer(purgeAfter.milliseconds),
            "manifestGeneration": .integer(Int64(archive.generation)), "parts": .integer(Int64(archive.partCount)),
        ]
        return try await write(
            .deletion, body: body, uid: archive.uid.bytes, account: vault.location.account, vault: vault.uid, key: key,
            keyVersion: version, from: UInt64(max(1, now.milliseconds)), freesRoom: true
        ) { 
            BlobName.deletion(
                account: vault.location.account.digits, vaultUID: vault.uid.bytes, archiveUID: archive.uid.bytes, generation: $0)
        }
    }

    /// Seals and stores a record under the first free generation from `generation` on.
    func write(
        _ type: RecordType, body: [String: JSONValue], uid: [UInt8], account: AccountID, vault: VaultUID, key: SecretKey,
        keyVersion: UInt32, from generation: UInt64, freesRoom: Bool = false,
        name: @Sendable (UInt64) -> BlobName
    ) async throws -> WrittenRecord {
        for attempt in generation..<generation + Self.maxGenerationSteps {
            let record = StateRecord(
                type: type, generation: attempt, createdMilliseconds: clock.now().milliseconds, account: account.digits,
                vaultUID: vault.bytes, body: body)
            let blob = try SealedBlob.seal(
                plaintext: record.encode(),
                preamble: BlobPreamble(kind: .record, uid: uid, index: keyVersion, number: attempt), account: account.digits,
                vaultUID: vault.bytes, key: key, random: random)
            let id = try blobID(name(attempt).text)
            if try await putUnlessTaken(id, ByteBuffer(bytes: blob), in: freesRoom ? reserve : cold) { return WrittenRecord(blob: id, generation: attempt) }
        }
        throw VaultError(.internalFailure, "No free generation for a state record; run a scrub and look for unnamed records.")
    }

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
