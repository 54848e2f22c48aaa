// SPDX-License-Identifier: Apache-2.0

import SealedArchive
import Storage
import VaultModel

/// Accounts and their members.
extension CatalogRebuild {
    func restoreAccounts(_ report: inout RebuildReport) async throws {
        var cursor = BlobCursor(store: store, prefix: BlobName.accountsPrefix)
        var current: (account: AccountID, generations: [UInt64])?
        while let entry = try await cursor.next() {
            // Other names are reported when all blobs are walked.
            guard case .account(let digits, let generation) = BlobName(entry.id.name), let account = AccountID(digits) else { continue }
            if let known = current, known.account != account {
                try await restoreAccount(known.account, known.generations, &report)
                current = nil
            }
            current = (account, (current?.generations ?? []) + [generation])
        }
        if let current { try await restoreAccount(current.account, current.generations, &report) }
    }

    private func restoreAccount(_ id: AccountID, _ generations: [UInt64], _ report: inout RebuildReport) async throws {
        func name(_ generation: UInt64) -> String { BlobName.account(account: id.digits, generation: generation).text }
        let found = try await newest(generations, .account, uid: BlobPreamble.uid(ofAccount: id.digits), account: id, vault: .none, name, &report) {
            record -> AccountState? in
            guard let state = AccountState(record), state.id == id else { return nil }
            return state
        }
        guard let found else {
            return try await add([RebuildFinding(.lost, "account \(id)", "no record of it verifies")], to: &report)
        }
        let (sealed, members) = try keyring.seal(found.fact, generation: found.generation, random: random)
        var row = sealed
        // The record counts as well: until it is written again, it needs the version that seals it.
        row.masterVersion = found.keyVersion
        guard try await insert(row, members) else {
            return try await add(
                [RebuildFinding(.lost, "account \(id)", "an access key of it is another account's")], to: &report)
        }
        report.accounts += 1
        report.users += UInt64(members.users.count)
        report.accessKeys += UInt64(members.accessKeys.count)
        report.topics += UInt64(members.topics.count)
        try await doomReplaced(generations.filter { $0 < found.generation }.map(name), &report)
    }

    /// False when something of it is taken.
    private func insert(_ row: AccountRow, _ members: AccountMembers) async throws(StorageError) -> Bool {
        do throws(StorageError) {
            try await builder.insert(row, members: members)
            return true
        } catch {
            guard error.code == .alreadyExists else { throw error }
            return false
        }
    }

    struct FoundRecord<Fact> {
        let fact: Fact
        let generation: UInt64
        let keyVersion: UInt32
        let record: StateRecord
    }

    /// The record of the highest generation that verifies under the master key; those above it are findings.
    func newest<Fact>(
        _ generations: [UInt64], _ type: RecordType, uid: [UInt8], account: AccountID, vault: VaultUID, _ name: (UInt64) -> String,
        _ report: inout RebuildReport, _ read: (StateRecord) throws -> Fact?
    ) async throws -> FoundRecord<Fact>? {
        var passedOver: [(String, any Error)] = []
        var found: FoundRecord<Fact>?
        for generation in generations.reversed() where found == nil {
            let name = name(generation)
            do {
                let (record, version) = try await RecordReader(store: store).record(
                    try blobID(name), type, uid: uid, generation: generation, account: account, vault: vault, key: keyring.master)
                guard let fact = try read(record) else { throw FormatError.malformed("body of a record of type \(type)") }
                report.saw(Timestamp(milliseconds: record.createdMilliseconds))
                found = FoundRecord(fact: fact, generation: generation, keyVersion: version, record: record)
            } catch where RecordReader.condemns(error) {
                passedOver.append((name, error))
            }
        }
        try await add(passedOver.map { RebuildFinding(damagedBy: $1, $0, isStale: found != nil) }, to: &report)
        return found
    }
}
