// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// Verifies a state record: that it opens under the key that its preamble names, and is what its name says.
struct RecordCheck {
    let engine: VaultEngine
    let pace: ScrubPace

    /// Nil when every copy that can be is good; what is wrong otherwise. `.notFound` on all copies is "missing".
    func damage(of id: BlobID, _ name: BlobName, tally: inout ScrubTally) async throws -> String? {
        let verdict = try await CopyCheck(engine: engine).check(id, tally: &tally) { copy in
            try await verify(id, name, on: copy)
        }
        guard case .damaged(let reason) = verdict else { return nil }
        return reason
    }

    private func verify(_ id: BlobID, _ name: BlobName, on copy: any BlobStore) async throws {
        guard let place = Place(name) else { throw FormatError.wrongIdentity("not the name of a record") }
        guard let size = try await copy.size(of: id) else { throw StorageError(.notFound, "\(id) is missing") }
        guard size <= UInt64(StateRecord.maxBytes + 4096) else { throw FormatError.limitExceeded("a record of more than 4 MiB") }
        var bytes: [UInt8] = []
        while UInt64(bytes.count) < size {
            let end = min(size, UInt64(bytes.count) + 1 << 20)
            bytes += try await copy.read(id, range: UInt64(bytes.count)..<end).readableBytesView
        }
        let version = try BlobPreamble(parsing: bytes).index
        let key =
            switch place.type {
            case .account, .vault: try engine.keyring.master(version)
            case .upload, .deletion: try await vaultKey(place, version)
            }
        let opened = try SealedBlob.open(
            bytes, expecting: BlobExpectation(.record, uid: place.uid, index: version, number: place.generation),
            account: place.account, vaultUID: place.vault, key: key)
        let record = try StateRecord(decoding: opened.plaintext, expecting: place.type)
        guard record.account == place.account, record.vaultUID == place.vault, record.generation == place.generation else {
            throw FormatError.wrongIdentity("a record that is not what its name says")
        }
        try await pace.rest(bytes: size, computed: .zero)
    }

    private func vaultKey(_ place: Place, _ version: UInt32) async throws -> SecretKey {
        guard let uid = VaultUID(bytes: place.vault), let vault = try await engine.catalog.vault(uid) else {
            throw VaultError(.unavailable, "The vault of a record is gone, and its keys with it.")
        }
        return try engine.keyring.key(of: vault, version: version)
    }

    private struct Place {
        let type: RecordType
        let account: String
        let vault: [UInt8]
        let uid: [UInt8]
        let generation: UInt64

        init?(_ name: BlobName) {
            switch name {
            case .account(let account, let generation):
                self.init(.account, account, BlobContext.noVault, BlobPreamble.uid(ofAccount: account), generation)
            case .vault(let account, let vault, let generation): self.init(.vault, account, vault, vault, generation)
            case .upload(let account, let vault, let archive, let generation):
                self.init(.upload, account, vault, archive, generation)
            case .deletion(let account, let vault, let archive, let generation):
                self.init(.deletion, account, vault, archive, generation)
            default: return nil
            }
        }

        private init(_ type: RecordType, _ account: String, _ vault: [UInt8], _ uid: [UInt8], _ generation: UInt64) {
            (self.type, self.account, self.vault, self.uid, self.generation) = (type, account, vault, uid, generation)
        }
    }
}
