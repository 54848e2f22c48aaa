// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Logging
import SealedArchive
import Storage
import Synchronization
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
        guard record.type == .vault, let state = record.body["state"]?.stringValue,
            let list = record.body["keys"]?.arrayValue,
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
        guard let version = json["version"]?.integerValue.flatMap(UInt32.init(exactly:)),
            let created = json["created"]?.integerValue,
            let master = json["masterVersion"]?.integerValue.flatMap(UInt32.init(exactly:)),
            let wrapped = json["wrapped"]?.stringValue.flatMap({ Base64.decode($0) })
        else { return nil }
        return VaultKeyWrap(
            version: version, created: Timestamp(milliseconds: created), masterVersion: master, wrapped: wrapped)
    }

    /// The row and settings brought up to this record: what was acknowledged after the catalog's copy was made counts again. A completed
    /// lock stays, whichever of the two has it; a key version that only one of them has is kept. Of the record of a deleted vault only those
    /// two count.
    func adopt(into row: inout VaultRow, _ current: inout VaultSettings) {
        let known = Set(row.keys.map(\.version))
        row.keys = (row.keys + keys.filter { !known.contains($0.version) }).sorted { $0.version < $1.version }
        let lock = [current.lock, settings.lock].compactMap { $0 }.first { $0.state == .locked }
        if !isDeleted {
            row.compression = compression
            current = settings
        }
        if let lock { current.lock = lock }
    }
}

extension VaultEngine {
    /// A catalog that is older than the records (restored from a backup, or a crash came between the two) takes up what the newest record of
    /// each vault says, so that no restore loses a lock. Costs one listing per vault. A vault that cannot be compared is an error in the
    /// log, and nothing is changed in it or deleted from it until it was.
    func adoptNewerRecords() async throws {
        try await forEachVault { vault in
            guard vault.state == .active else { return }
            do {
                try await freeingRoom { try await adoptNewerRecord(of: vault) }
            } catch {
                guard !Task.isCancelled else { throw error }
                missedVaults.withLock { _ = $0.insert(vault.uid) }
                logger.error(
                    "a vault could not be compared with its records; it is not changed before it was",
                    metadata: ["vault": "\(vault.location.arn)", "error": "\(error)"])
            }
        }
    }

    /// Compares a vault with its records, if that failed at start.
    func adoptIfMissed(_ location: VaultLocation) async throws {
        guard !missedVaults.withLock({ $0.isEmpty }) else { return }
        guard let vault = try await catalog.vault(at: location), missedVaults.withLock({ $0.contains(vault.uid) }) else {
            return
        }
        if vault.state == .active { try await freeingRoom { try await adoptNewerRecord(of: vault) } }
        missedVaults.withLock { _ = $0.remove(vault.uid) }
    }

    private func adoptNewerRecord(of vault: VaultRow) async throws {
        let names = try await recordNames(above: vault.generation, Self.recordName(vault))
        guard let recorded = try await newestRecord(among: names, of: vault) else { return }
        let before = try settings(of: vault).settings.lock
        let changed = try await changeVault(
            vault, above: recorded.generation, as: .vault(vault.location, "vault:TakeUpRecord", by: .service)
        ) { recorded.adopt(into: &$0, &$1) }
        let record = try blobID(Self.recordName(vault)(recorded.generation).text)
        try await doom([record], of: .cold, after: configuration.deletionGrace)
        let after = try settings(of: changed).settings.lock
        let isSame = VaultSettings(lock: before).isIdentical(to: VaultSettings(lock: after))
        logger.warning(
            recorded.isDeleted
                ? "the catalog holds a vault that was deleted later; it is left as the catalog has it"
                : "a vault's record is newer than the catalog and was adopted",
            metadata: [
                "vault": "\(vault.location.arn)", "generation": "\(recorded.generation)",
                "lock": "\(isSame ? "unchanged" : "restored")",
            ])
    }

    /// The newest of these records that verifies.
    func newestRecord(among names: [WrittenRecord], of vault: VaultRow) async throws -> RecordedVault? {
        for name in names.reversed() {
            let recorded = try await readRecord(
                name, .vault, uid: vault.uid.bytes, account: vault.location.account, vault: vault.uid,
                RecordedVault.init)
            if let recorded { return recorded }
        }
        return nil
    }

    /// What the record under the master key says, or nil with an error in the log when it does not verify: then an older one counts.
    func readRecord<Recorded>(
        _ name: WrittenRecord, _ type: RecordType, uid: [UInt8], account: AccountID, vault: VaultUID,
        _ read: (StateRecord) -> Recorded?
    ) async throws -> Recorded? {
        do {
            let (record, _) = try await RecordReader(store: cold).record(
                name.blob, type, uid: uid, generation: name.generation, account: account, vault: vault, key: keyring.master)
            guard let recorded = read(record) else {
                throw FormatError.wrongIdentity("a record that is not what its name says")
            }
            return recorded
        } catch where !RecordReader.condemns(error) {
            throw error
        } catch {
            logger.error(
                "a \(type)'s record does not verify and is passed over",
                metadata: ["record": "\(name.blob)", "error": "\(error)"])
            return nil
        }
    }
}
