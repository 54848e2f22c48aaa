// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Logging
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// What the newest durable record of a vault says, when it is newer than the catalog's row.
struct RecordedVault: Equatable {
    let generation: UInt64
    let isDeleted: Bool
    let compression: String?
    let keys: [VaultKeyWrap]
    let settings: VaultSettings

    /// Nil when the body is not that of a vault's record.
    init?(_ record: StateRecord) {
        guard record.type == .vault, let state = record.body["state"]?.stringValue, let list = record.body["keys"]?.arrayValue,
            let settings = VaultSettings(members: record.body)
        else { return nil }
        let keys = list.compactMap(Self.key)
        guard keys.count == list.count else { return nil }
        generation = record.generation
        isDeleted = state == "deleted"
        compression = record.body["compression"]?.stringValue
        self.keys = keys
        self.settings = settings
    }

    private static func key(_ json: JSONValue) -> VaultKeyWrap? {
        guard let version = json["version"]?.integerValue.flatMap(UInt32.init(exactly:)), let created = json["created"]?.integerValue,
            let master = json["masterVersion"]?.integerValue.flatMap(UInt32.init(exactly:)),
            let wrapped = json["wrapped"]?.stringValue.flatMap({ Base64.decode($0) })
        else { return nil }
        return VaultKeyWrap(
            version: version, created: Timestamp(milliseconds: created), masterVersion: master, wrapped: wrapped)
    }

    /// The row and settings brought up to this record: what was acknowledged after the catalog's copy was made counts again. A completed
    /// lock stays, whichever of the two has it; a key version that only one of them has is kept.
    func adopt(into row: inout VaultRow, _ current: inout VaultSettings) {
        row.compression = compression
        let known = Set(row.keys.map(\.version))
        row.keys = (row.keys + keys.filter { !known.contains($0.version) }).sorted { $0.version < $1.version }
        let lock = current.lock.flatMap { $0.state == .locked ? $0 : nil }
        current = settings
        if let lock { current.lock = lock }
    }
}

extension VaultEngine {
    /// A catalog that is older than the records (restored from a backup, or a crash came between the two) takes up what the newest record of
    /// each vault says, so that no restore loses a lock. Costs one listing per vault.
    func adoptNewerRecords() async throws {
        try await forEachVault { vault in
            guard vault.state == .active, let recorded = try await newerRecord(of: vault) else { return }
            let place = ["vault": "\(vault.location.arn)", "generation": "\(recorded.generation)"] as Logger.Metadata
            guard !recorded.isDeleted else {
                logger.warning("the catalog holds a vault that was deleted later; it is left as the catalog has it", metadata: place)
                return
            }
            let before = try settings(of: vault).settings.lock
            let changed = try await changeVault(vault, above: recorded.generation) { recorded.adopt(into: &$0, &$1) }
            let record = BlobName.vault(
                account: vault.location.account.digits, vaultUID: vault.uid.bytes, generation: recorded.generation)
            try await doom([try blobID(record.text)], of: .cold, after: configuration.deletionGrace)
            let after = try settings(of: changed).settings.lock
            logger.warning(
                "a vault's record is newer than the catalog and was adopted",
                metadata: place.merging(["lock": "\(before == after ? "unchanged" : "restored")"]) { old, _ in old })
        }
    }

    /// The newest record of a vault that is newer than its row and verifies.
    private func newerRecord(of vault: VaultRow) async throws -> RecordedVault? {
        let account = vault.location.account.digits
        func name(_ generation: UInt64) -> String {
            BlobName.vault(account: account, vaultUID: vault.uid.bytes, generation: generation).text
        }
        let prefix = BlobName.vaultPrefix(account: account, vaultUID: vault.uid.bytes) + "records/vault-"
        var after = try blobID(name(vault.generation))
        var newer: [BlobID] = []
        while true {
            let page = try await cold.list(prefix: prefix, after: after, limit: 1000)
            newer += page.map(\.id)
            guard page.count == 1000, let last = page.last else { break }
            newer.removeFirst(max(0, newer.count - 1000))
            after = last.id
        }
        for id in newer.reversed() {
            if let recorded = try await readVaultRecord(id, of: vault) { return recorded }
        }
        return nil
    }

    /// The record, or nil with an error in the log when it does not verify: then an older one counts.
    private func readVaultRecord(_ id: BlobID, of vault: VaultRow) async throws -> RecordedVault? {
        do {
            guard case .vault(let account, let uid, let generation) = BlobName(id.name) else { return nil }
            guard let size = try await cold.size(of: id), size <= UInt64(StateRecord.maxBytes + 4096) else {
                throw FormatError.limitExceeded("a record of more than 4 MiB")
            }
            var bytes: [UInt8] = []
            while UInt64(bytes.count) < size {
                let upTo = min(size, UInt64(bytes.count + cold.maxReadBytes))
                bytes += try await cold.read(id, range: UInt64(bytes.count)..<upTo).readableBytesView
            }
            let version = try BlobPreamble(parsing: bytes).index
            let opened = try SealedBlob.open(
                bytes, expecting: BlobExpectation(.record, uid: uid, index: version, number: generation), account: account,
                vaultUID: uid, key: try keyring.master(version))
            let record = try StateRecord(decoding: opened.plaintext, expecting: .vault)
            guard record.account == account, record.vaultUID == uid, record.generation == generation,
                let recorded = RecordedVault(record)
            else { throw FormatError.wrongIdentity("a record that is not what its name says") }
            return recorded
        } catch let error as StorageError where error.code != .integrity && error.code != .notFound {
            // Not a word about the record: the start is tried again.
            throw error
        } catch {
            logger.error("a vault's record does not verify and is passed over", metadata: ["record": "\(id)", "error": "\(error)"])
            return nil
        }
    }
}
