// SPDX-License-Identifier: Apache-2.0

import SealedArchive
import Storage
import VaultModel

/// The rows of vaults, before their archives.
extension CatalogRebuild {
    /// What a vault's blobs begin with.
    struct VaultPlace: Hashable, Sendable {
        let account: AccountID
        let uid: VaultUID
        var prefix: String { BlobName.vaultPrefix(account: account.digits, vaultUID: uid.bytes) }

        /// Out of the name of anything inside, be it a blob or not.
        init?(in name: String) {
            let fields = name.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
            guard fields.count == 4, fields[0] == "vaults", let account = AccountID(String(fields[1])), let uid = VaultUID(hex: fields[2])
            else { return nil }
            self.account = account
            self.uid = uid
        }

        init(account: AccountID, uid: VaultUID) {
            self.account = account
            self.uid = uid
        }
    }

    /// One look per vault, however much it holds.
    func restoreVaults(_ report: inout RebuildReport) async throws {
        var after: BlobID?
        var last: VaultPlace?
        while let entry = try await store.list(prefix: BlobName.vaultsPrefix, after: after, limit: 1).first {
            after = entry.id
            guard let place = VaultPlace(in: entry.id.name), place != last else { continue }
            last = place
            try await restoreVault(place, &report)
            // Behind everything that blobs of the vault are called.
            after = BlobID(place.prefix + "zzzzzzzz") ?? entry.id
        }
    }

    func recordGenerations(of place: VaultPlace) async throws -> [UInt64] {
        var cursor = BlobCursor(store: store, prefix: place.prefix + "records/")
        var generations: [UInt64] = []
        while let entry = try await cursor.next() {
            if case .vault(_, _, let generation) = BlobName(entry.id.name) { generations.append(generation) }
        }
        return generations
    }

    func recordName(_ place: VaultPlace) -> (UInt64) -> String {
        { BlobName.vault(account: place.account.digits, vaultUID: place.uid.bytes, generation: $0).text }
    }

    private func restoreVault(_ place: VaultPlace, _ report: inout RebuildReport) async throws {
        let generations = try await recordGenerations(of: place)
        let found = try await newest(
            generations, .vault, uid: place.uid.bytes, account: place.account, vault: place.uid, recordName(place), &report
        ) { record -> (RecordedVault, VaultRow)? in
            guard let recorded = RecordedVault(record), let where_ = RecordedPlace(record), where_.location.account == place.account
            else { return nil }
            return (recorded, try row(recorded, where_, uid: place.uid))
        }
        guard let (recorded, row) = found?.fact else {
            return try await add(
                [RebuildFinding(.lost, "vault \(place.uid) of account \(place.account)", "no record of it verifies")], to: &report)
        }
        guard recorded.isDeleted else {
            if try await insert(row, place, &report) {
                report.vaults += 1
                if recorded.settings.lock?.state == .locked { report.lockedVaults += 1 }
            }
            return
        }
        try await builder.insert(row)
        report.deletedVaults += 1
    }

    /// Throws when the newest key of the vault does not open: then the record is none to build on.
    private func row(_ recorded: RecordedVault, _ place: RecordedPlace, uid: VaultUID) throws -> VaultRow {
        var row = VaultRow(
            uid: uid, location: place.location, state: recorded.isDeleted ? .deleted : .active, created: place.created,
            generation: recorded.generation, compression: recorded.compression,
            keys: recorded.keys.sorted { $0.version < $1.version }, settings: nil)
        _ = try keyring.currentKey(of: row)
        if recorded.settings != .none {
            row.settings = try keyring.seal(SettingsColumn(recorded.settings), uid: uid.bytes, of: row, random: random)
        }
        return row
    }

    /// False when another vault keeps the location.
    private func insert(_ row: VaultRow, _ place: VaultPlace, _ report: inout RebuildReport) async throws -> Bool {
        guard let other = try await builder.vault(at: row.location) else {
            try await builder.insert(row)
            return true
        }
        let otherPlace = VaultPlace(account: place.account, uid: other.uid)
        let (isUsed, isOtherUsed) = (try await isUsed(place), try await isUsed(otherPlace))
        let isOlder = (row.created, row.uid) < (other.created, other.uid)
        let wins = isUsed == isOtherUsed ? isOlder : isUsed
        let (winner, loser) = wins ? (row, other) : (other, row)
        if isUsed && isOtherUsed || wins == isOtherUsed && isOtherUsed {
            try await add(
                [RebuildFinding(.nameTaken, "vault \(loser.uid) (\(loser.location.arn))", "its location is that of vault \(winner.uid)")],
                to: &report)
        } else {
            try await add(
                [
                    RebuildFinding(
                        .unnamed, recordName(VaultPlace(account: place.account, uid: loser.uid))(loser.generation),
                        "an empty vault whose location is that of vault \(winner.uid): its creation was never acknowledged")
                ], to: &report)
        }
        guard wins else { return false }
        try await builder.removeVault(other.uid)
        try await builder.insert(row)
        // The other one was counted; this one takes its place.
        report.vaults -= 1
        return true
    }

    private func isUsed(_ place: VaultPlace) async throws -> Bool {
        for inside in ["archives/", "uploads/"]
        where try await !store.list(prefix: place.prefix + inside, after: nil, limit: 1).isEmpty { return true }
        return false
    }

    /// What archives of the vault are judged with: its row, and the key versions that only older records have. Nil when it was not restored.
    func scene(of place: VaultPlace, _ report: inout RebuildReport) async throws -> VaultScene? {
        guard let row = try await builder.vault(place.uid) else { return nil }
        var known = Dictionary(uniqueKeysWithValues: row.keys.map { ($0.version, $0) })
        let newestVersions = Set(known.keys)
        for generation in try await recordGenerations(of: place).reversed() where generation < row.generation {
            // Those that do not verify teach nothing; they are behind the one in force and count for nobody.
            guard let recorded = try await olderRecord(generation, of: place) else { continue }
            for key in recorded.keys where known[key.version] == nil { known[key.version] = key }
        }
        var all = row
        all.keys = known.values.sorted { $0.version < $1.version }
        return VaultScene(
            vault: all, spareVersions: Set(known.keys).subtracting(newestVersions), isDeleted: row.state == .deleted)
    }

    private func olderRecord(_ generation: UInt64, of place: VaultPlace) async throws -> RecordedVault? {
        do {
            let (record, _) = try await RecordReader(store: store).record(
                try blobID(recordName(place)(generation)), .vault, uid: place.uid.bytes, generation: generation,
                account: place.account, vault: place.uid, key: keyring.master)
            return RecordedVault(record)
        } catch where RecordReader.condemns(error) {
            return nil
        }
    }
}
