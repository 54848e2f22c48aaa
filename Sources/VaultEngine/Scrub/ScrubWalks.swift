// SPDX-License-Identifier: Apache-2.0

import Execution
import Logging
import SealedArchive
import Storage
import TreeHash
import VaultModel

/// From the catalog to the blobs, besides archives: the records in force of accounts, vaults and open uploads, and the uploads' parts.
struct RecordWalk {
    let engine: VaultEngine
    let pace: ScrubPace

    func run() async throws {
        try await engine.forEachVault { vault in
            try await check(
                .vault(account: vault.location.account.digits, vaultUID: vault.uid.bytes, generation: vault.generation),
                of: "vault \(vault.location.arn)")
            try await checkUploads(of: vault)
        }
        var after: AccountID?
        while true {
            let page = try await engine.catalog.accounts(after: after, limit: 200)
            for account in page {
                try await check(.account(account: account.id.digits, generation: account.generation), of: "account \(account.id)")
            }
            guard page.count == 200, let last = page.last else { return }
            after = last.id
        }
    }

    private func check(_ name: BlobName, of subject: String) async throws {
        let id = try blobID(name.text)
        var tally = ScrubTally()
        let damage: String?
        do {
            damage = try await RecordCheck(engine: engine, pace: pace).damage(of: id, name, tally: &tally)
        } catch let error as VaultError where error.code == .integrity {
            damage = "it needs a key that is not there"
        }
        if let damage, try await isInForce(name) {
            tally.failures += 1
            engine.scrubDesk.countFailure()
            tally.find(id.name, damage)
            engine.logger.error(
                "the durable record of a \(subject) is damaged; `coldvault key rotate` writes new ones",
                metadata: ["blob": "\(id)", "reason": "\(damage)"])
        }
        engine.scrubDesk.add(tally)
    }

    /// A record that was replaced while it was read may be gone by now.
    private func isInForce(_ name: BlobName) async throws -> Bool {
        switch name {
        case .vault(_, let vault, let generation):
            guard let uid = VaultUID(bytes: vault) else { return false }
            return try await engine.catalog.vault(uid)?.generation == generation
        case .account(let account, let generation):
            guard let account = AccountID(account) else { return false }
            return try await engine.catalog.account(account)?.generation == generation
        default: return true
        }
    }

    private func checkUploads(of vault: VaultRow) async throws {
        var after: UploadUID?
        while true {
            let page = try await engine.catalog.uploads(vault: vault.uid, after: after, limit: 100)
            for upload in page { try await check(upload, in: vault) }
            guard page.count == 100, let last = page.last else { return }
            after = last.uid
        }
    }

    private func check(_ upload: UploadRow, in vault: VaultRow) async throws {
        let birth: ArchiveBirth
        do {
            birth = try ArchiveBirth(of: upload, in: vault, keyring: engine.keyring)
        } catch {
            return try await report(upload, "its data key cannot be opened: \(CopyCheck.reason(error))")
        }
        var index: UInt32 = 0
        while true {
            let page = try await engine.catalog.parts(upload.uid, from: index, limit: 100)
            for part in page {
                var tally = ScrubTally()
                if let reason = try await damage(of: part, upload, birth, in: vault, &tally),
                    try await engine.catalog.part(upload.uid, index: part.index)?.number == part.number,
                    try await engine.catalog.upload(upload.uid)?.state == .open
                {
                    try await report(upload, "part \(part.index): \(reason); upload it again")
                }
                engine.scrubDesk.add(tally)
            }
            guard page.count == 100, let last = page.last else { return }
            index = last.index + 1
        }
    }

    private func damage(
        of part: PartRow, _ upload: UploadRow, _ birth: ArchiveBirth, in vault: VaultRow, _ tally: inout ScrubTally
    ) async throws -> String? {
        let column = try engine.keyring.open(
            part.sealed, as: PartColumn.self, uid: VaultEngine.partRowUID(upload.uid, part.index), of: vault)
        let source = PartSource(
            blob: try blobID(part.blob), blobBytes: part.blobBytes, length: part.length, treeHash: column.treeHash,
            expectation: BlobExpectation(.part, uid: upload.archive.bytes, index: part.index, number: part.number),
            sealHeader: column.sealHeader, account: vault.location.account, vault: vault.uid, key: birth.dataKey)
        let memory = try await engine.budget.reserve(ArchiveCheck.workingBytes)
        defer { memory.release() }
        let verdict = try await CopyCheck(engine: engine).check(source.blob, tally: &tally) { copy in
            let reader = try await PartReader.open(source, in: copy, compute: engine.compute, scratch: PartScratch())
            try await reader.verifyWhole(ciphertext: column.ciphertextSHA256, pace: pace)
        }
        tally.bytes += part.blobBytes
        guard case .damaged(let reason) = verdict else { return nil }
        return reason
    }

    private func report(_ upload: UploadRow, _ reason: String) async throws {
        var tally = ScrubTally()
        tally.failures = 1
        tally.find("upload \(upload.id)", reason)
        engine.scrubDesk.countFailure()
        engine.scrubDesk.add(tally)
        engine.logger.error("an open upload is damaged", metadata: ["upload": "\(upload.id)", "reason": "\(reason)"])
    }
}

/// From the blobs to the catalog: what nobody names is reported once it was found so twice, and stays where it is; archives that the catalog
/// lacks are taken up.
struct BlobWalk {
    let engine: VaultEngine
    let pace: ScrubPace
    /// Other rooms keep these and look after them.
    private static let foreign = ["service/", "audit/"]
    private static let firstSight = "seen once: "

    /// One page of the listing; false at its end.
    func page() async throws -> Bool {
        let desk = engine.scrubDesk
        let after = desk.current.cursor.flatMap { BlobID($0) }
        let page = try await engine.cold.list(prefix: "", after: after, limit: Scrubber.listingPage)
        let isLast = page.count < Scrubber.listingPage
        var known = try await quarantined(after: after, through: isLast ? nil : page.last?.id)
        var judge = BlobJudge(engine: engine)
        var tally = ScrubTally()
        var forgotten: [QuarantinedBlob] = []
        for entry in page where !Self.foreign.contains(where: { entry.id.name.hasPrefix($0) }) {
            let before = known.removeValue(forKey: entry.id.name)
            switch try await judge.judge(entry.id) {
            case .named: if let before { forgotten.append(before) }
            case .adopted(let archiveID):
                if let before { forgotten.append(before) }
                tally.adopted += 1
                engine.logger.warning(
                    "an archive that the catalog did not have was taken up from its manifest",
                    metadata: ["archive": "\(archiveID)", "blob": "\(entry.id)"])
            case .unnamed(let reason):
                if try await engine.catalog.isDoomed(entry.id.name, in: .cold) { continue }
                try await note(entry.id, reason, before, &tally)
            }
            if case .deletion? = BlobName(entry.id.name) { try await checkDeletion(entry.id, &tally) }
            try await pace.rest(bytes: 4096, computed: .zero)
        }
        // Known, in this stretch, and not there any more.
        try await engine.catalog.removeQuarantine(forgotten + known.values)
        desk.add(tally)
        let last = page.last?.id.name
        try await desk.change(in: engine.catalog) { $0.cursor = last ?? $0.cursor }
        return !isLast
    }

    private func quarantined(after: BlobID?, through last: BlobID?) async throws -> [String: QuarantinedBlob] {
        var known: [String: QuarantinedBlob] = [:]
        var from = QuarantinedBlob(store: .cold, blob: after?.name ?? "", found: Timestamp(milliseconds: 0), reason: "")
        while true {
            let page = try await engine.catalog.quarantine(after: from, limit: 1000)
            for blob in page where blob.store == .cold {
                if let last, last.name.utf8.lexicographicallyPrecedes(blob.blob.utf8) { return known }
                known[blob.blob] = blob
            }
            guard page.count == 1000, let next = page.last else { return known }
            from = next
        }
    }

    private func note(_ id: BlobID, _ reason: String, _ before: QuarantinedBlob?, _ tally: inout ScrubTally) async throws {
        let now = engine.clock.now()
        guard let before else {
            return try await engine.catalog.putQuarantine([
                QuarantinedBlob(store: .cold, blob: id.name, found: now, reason: Self.firstSight + reason)
            ])
        }
        guard now.since(before.found) >= pace.limits.unnamedAge else { return }
        tally.unnamed += 1
        tally.find(id.name, "nobody names it: \(reason)")
        guard before.reason.hasPrefix(Self.firstSight) else { return }
        try await engine.catalog.putQuarantine([QuarantinedBlob(store: .cold, blob: id.name, found: before.found, reason: reason)])
        engine.logger.warning(
            "a blob that nobody names was found; it stays where it is", metadata: ["blob": "\(id)", "reason": "\(reason)"])
    }

    private func checkDeletion(_ id: BlobID, _ tally: inout ScrubTally) async throws {
        guard let name = BlobName(id.name), case .deletion(_, let vault, let archive, _) = name,
            let vaultUID = VaultUID(bytes: vault), try await engine.catalog.vault(vaultUID) != nil
        else { return }
        let damage: String?
        do {
            damage = try await RecordCheck(engine: engine, pace: pace).damage(of: id, name, tally: &tally)
        } catch let error as VaultError {
            // Under a key version that was destroyed since.
            guard error.code == .integrity || error.code == .unavailable else { throw error }
            damage = nil
        }
        if let damage, try await engine.cold.size(of: id) != nil {
            tally.failures += 1
            engine.scrubDesk.countFailure()
            tally.find(id.name, damage)
        }
        if let uid = ArchiveUID(bytes: archive), try await engine.catalog.archive(uid)?.state == .stored,
            try await !engine.catalog.isDoomed(id.name, in: .cold)
        {
            tally.find(id.name, "a deletion record of an archive that the catalog calls stored: was an older catalog restored?")
        }
    }

    static func isConfirmed(_ blob: QuarantinedBlob) -> Bool { !blob.reason.hasPrefix(firstSight) }
}
