// SPDX-License-Identifier: Apache-2.0

import SealedArchive
import Storage
import VaultModel

/// Walks all blobs in order and has the archives judged, vault by vault, in batches.
struct ArchiveWalk {
    /// Archives judged at the same time, and about how much memory they may take together.
    private static let batchArchives = 64
    private static let batchBytes = 32 << 20
    /// Rows handed to the builder at once.
    private static let rowsPerInsert = 2000

    private let rebuild: CatalogRebuild
    private let judge: ArchiveJudge

    // Of the vault that the walk is in.
    private var place: CatalogRebuild.VaultPlace?
    private var scene: VaultScene?
    private var uploads: BlobCursor?
    private var remains: ArchiveRemains?
    private var batch: [ArchiveRemains] = []
    private var batchWeight = 0
    private var archives: [ArchiveRow] = []
    private var lastChange: Timestamp?
    private var usedVersions: Set<UInt32> = []
    /// Blobs of a vault that was not restored.
    private var orphans: UInt64 = 0

    // For the progress.
    private let vaultCount: UInt64
    private var vaultsLeft: UInt64 = 0

    init(_ rebuild: CatalogRebuild, vaultCount: UInt64) {
        self.rebuild = rebuild
        self.vaultCount = max(1, vaultCount)
        judge = ArchiveJudge(
            store: rebuild.store, keyring: rebuild.keyring, compute: rebuild.compute, random: rebuild.random,
            options: rebuild.options, now: rebuild.clock.now())
    }

    mutating func run(_ report: inout RebuildReport) async throws {
        var cursor = BlobCursor(store: rebuild.store, prefix: "")
        while let entry = try await cursor.next() {
            report.blobs += 1
            report.blobBytes += entry.bytes
            if report.blobs.isMultiple(of: 4096) { try Task.checkCancellation() }
            guard let name = BlobName(entry.id.name) else {
                try await rebuild.add([RebuildFinding(.foreign, entry.id.name, "not the name of a blob")], to: &report)
                continue
            }
            switch name {
            case .staged:
                try await rebuild.add([RebuildFinding(.foreign, entry.id.name, "a staged output outside of staging")], to: &report)
            case .vault, .upload:
                try await enter(entry.id.name, &report)
            case .manifest(_, _, let archive, _), .deletion(_, _, let archive, _), .part(_, _, let archive, _, _):
                try await enter(entry.id.name, &report)
                try await take(name, of: archive, entry, &report)
            default: break
            }
        }
        try await leave(&report)
    }

    // MARK: vaults

    private mutating func enter(_ name: String, _ report: inout RebuildReport) async throws {
        guard let next = CatalogRebuild.VaultPlace(in: name), next != place else { return }
        try await leave(&report)
        place = next
        scene = try await rebuild.scene(of: next, &report)
        if scene != nil { uploads = BlobCursor(store: rebuild.store, prefix: next.prefix + "uploads/") }
    }

    private mutating func leave(_ report: inout RebuildReport) async throws {
        guard let place else { return }
        defer {
            self.place = nil
            scene = nil
            uploads = nil
            lastChange = nil
            usedVersions = []
            orphans = 0
            vaultsLeft += 1
        }
        guard let scene else {
            guard orphans > 0 else { return }
            return try await rebuild.add(
                [RebuildFinding(.lost, "vault \(place.uid) of account \(place.account)", "\(orphans) blobs of its archives cannot be opened")],
                to: &report)
        }
        try await closeRemains(&report)
        try await mergeUploads(before: nil, &report)
        try await judgeBatch(&report)
        try await insertArchives()
        // A version that the newest record lacks stays with the vault if anything needs it, and so do the records that have it.
        let rescued = scene.spareVersions.intersection(usedVersions)
        let keys = scene.vault.keys.filter { !scene.spareVersions.contains($0.version) || rescued.contains($0.version) }
        try await rebuild.builder.finishVault(place.uid, keys: keys, lastChange: lastChange)
        guard rescued.isEmpty else {
            return try await rebuild.add(
                [
                    RebuildFinding(
                        .damaged, "vault \(place.uid) (\(scene.vault.location.arn))",
                        "its newest record lacks key versions that archives need; they were taken from an older one", isStale: true)
                ], to: &report)
        }
        let older = try await rebuild.recordGenerations(of: place).filter { $0 < scene.vault.generation }
        try await rebuild.doomReplaced(older.map(rebuild.recordName(place)), &report)
    }

    // MARK: archives

    private mutating func take(
        _ name: BlobName, of archive: [UInt8], _ entry: BlobListing, _ report: inout RebuildReport
    ) async throws {
        guard let uid = ArchiveUID(bytes: archive) else { return }
        guard scene != nil else {
            orphans += 1
            return
        }
        if remains?.uid != uid {
            try await closeRemains(&report)
            try await mergeUploads(before: uid, &report)
            remains = ArchiveRemains(uid: uid)
            try await addUploads(of: uid)
        }
        remains?.add(name, bytes: entry.bytes)
    }

    private mutating func closeRemains(_ report: inout RebuildReport) async throws {
        guard let closed = remains else { return }
        remains = nil
        try await enqueue(closed, &report)
    }

    private mutating func enqueue(_ remains: ArchiveRemains, _ report: inout RebuildReport) async throws {
        if !batch.isEmpty, batch.count >= Self.batchArchives || batchWeight + remains.weight > Self.batchBytes {
            try await judgeBatch(&report)
        }
        batch.append(remains)
        batchWeight += remains.weight
    }

    /// Uploads of which no other blob is there, up to `uid`, or all.
    private mutating func mergeUploads(before uid: ArchiveUID?, _ report: inout RebuildReport) async throws {
        while let next = try await nextUpload(), uid.map({ next < $0 }) ?? true {
            var alone = ArchiveRemains(uid: next)
            try await addUploads(of: next, to: &alone)
            try await enqueue(alone, &report)
        }
    }

    private mutating func addUploads(of uid: ArchiveUID) async throws {
        guard var open = remains else { return }
        try await addUploads(of: uid, to: &open)
        remains = open
    }

    private mutating func addUploads(of uid: ArchiveUID, to remains: inout ArchiveRemains) async throws {
        while try await nextUpload() == uid, let entry = try await uploads?.next() {
            if let name = BlobName(entry.id.name) { remains.add(name, bytes: entry.bytes) }
        }
    }

    /// Whose the next upload record is; names that are none are passed over, because the walk reports them.
    private mutating func nextUpload() async throws -> ArchiveUID? {
        while let entry = try await uploads?.peek() {
            if case .upload(_, _, let archive, _) = BlobName(entry.id.name) { return ArchiveUID(bytes: archive) }
            _ = try await uploads?.next()
        }
        return nil
    }

    // MARK: judging

    private mutating func judgeBatch(_ report: inout RebuildReport) async throws {
        guard let scene, !batch.isEmpty else { return }
        let (judge, work) = (judge, batch)
        batch = []
        batchWeight = 0
        let verdicts = try await withThrowingTaskGroup(of: (Int, ArchiveJudgement).self) { group in
            for (position, remains) in work.enumerated() {
                group.addTask { (position, try await judge.judge(remains, in: scene)) }
            }
            var verdicts = [ArchiveJudgement?](repeating: nil, count: work.count)
            for try await (position, verdict) in group { verdicts[position] = verdict }
            return verdicts
        }
        for verdict in verdicts { if let verdict { try await take(verdict, &report) } }
        if archives.count >= Self.rowsPerInsert { try await insertArchives() }
        rebuild.progress(RebuildProgress(share: share(at: work.last?.uid), blobs: report.blobs, archives: report.archives))
    }

    private mutating func take(_ verdict: ArchiveJudgement, _ report: inout RebuildReport) async throws {
        try await rebuild.add(verdict.findings, to: &report)
        if let archive = verdict.archive {
            archives.append(archive)
            if archive.state == .stored {
                report.archives += 1
                report.archiveBytes += archive.size
                if archive.damage != nil { report.damagedArchives += 1 }
            } else {
                report.deletedArchives += 1
            }
        }
        if let upload = verdict.upload {
            try await rebuild.builder.insert([upload])
            if upload.row.state == .open { report.openUploads += 1 } else { report.closedUploads += 1 }
            report.uploadParts += UInt64(upload.parts.count)
            report.uploadPartBytes += upload.parts.reduce(0) { $0 + $1.length }
        }
        if !verdict.doomed.isEmpty { try await rebuild.doom(verdict.doomed, &report) }
        if verdict.isPurged { report.purgedArchives += 1 }
        report.verifiedBytes += verdict.verifiedBytes
        report.saw(verdict.newestTime)
        usedVersions.formUnion(verdict.keyVersions)
        if let change = verdict.lastChange { lastChange = lastChange.map { max($0, change) } ?? change }
    }

    private mutating func insertArchives() async throws {
        guard !archives.isEmpty else { return }
        try await rebuild.builder.insert(archives)
        archives.removeAll(keepingCapacity: true)
    }

    /// Archives come in order of uid, which is random: so the place says how far the walk through the vault is.
    private func share(at archive: ArchiveUID?) -> Double {
        let inside = archive.map { Double($0.words.high >> 11) / Double(UInt64(1) << 53) } ?? 1
        return min(1, (Double(vaultsLeft) + inside) / Double(vaultCount))
    }
}
