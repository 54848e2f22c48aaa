// SPDX-License-Identifier: Apache-2.0

import SealedArchive
import Storage
import VaultModel

/// The names of all that is there of one archive uid, before anything of it is opened.
struct ArchiveRemains: Sendable {
    struct Part: Sendable {
        let index: UInt32
        let number: UInt64
        let bytes: UInt64
    }

    /// More blobs of one archive than any history leaves behind are counted, not kept.
    static let maxParts = 500_000
    static let maxRecords = 10_000

    let uid: ArchiveUID
    /// Generations, in ascending order.
    var deletions: [UInt64] = []
    var manifests: [(generation: UInt64, bytes: UInt64)] = []
    var uploads: [UInt64] = []
    /// By index, then number.
    var parts: [Part] = []
    /// Blobs that did not fit.
    var excess: UInt64 = 0

    init(uid: ArchiveUID) { self.uid = uid }

    mutating func add(_ name: BlobName, bytes: UInt64) {
        switch name {
        case .deletion(_, _, _, let generation): if admit(deletions.count, Self.maxRecords) { deletions.append(generation) }
        case .manifest(_, _, _, let generation):
            if admit(manifests.count, Self.maxRecords) { manifests.append((generation, bytes)) }
        case .upload(_, _, _, let generation): if admit(uploads.count, Self.maxRecords) { uploads.append(generation) }
        case .part(_, _, _, let index, let number):
            if admit(parts.count, Self.maxParts) { parts.append(Part(index: index, number: number, bytes: bytes)) }
        default: preconditionFailure("only an archive's own blobs belong to its remains")
        }
    }

    private mutating func admit(_ count: Int, _ limit: Int) -> Bool {
        if count >= limit { excess += 1 }
        return count < limit
    }

    /// About what judging it takes in memory: the names, the newest manifest, the frames of an open upload's parts.
    var weight: Int {
        let frames = manifests.isEmpty && !uploads.isEmpty && !parts.isEmpty ? 8 << 20 : 0
        return Int(clamping: manifests.last?.bytes ?? 0) * 4 + parts.count * 64 + 4096 + frames
    }

    /// The size of that write, or nil when it is not there.
    func bytes(ofPart index: UInt32, number: UInt64) -> UInt64? {
        var low = 0
        var high = parts.count
        while low < high {
            let middle = (low + high) / 2
            if (parts[middle].index, parts[middle].number) < (index, number) { low = middle + 1 } else { high = middle }
        }
        guard low < parts.count, parts[low].index == index, parts[low].number == number else { return nil }
        return parts[low].bytes
    }
}

/// What is known about the vault while its archives are judged.
struct VaultScene: Sendable {
    /// As it was restored; with the key versions that only older records have, so that what needs them opens.
    let vault: VaultRow
    /// Those versions.
    let spareVersions: Set<UInt32>
    let isDeleted: Bool

    func name(of archive: ArchiveUID) -> ArchiveNames {
        ArchiveNames(account: vault.location.account.digits, vault: vault.uid.bytes, archive: archive.bytes)
    }
}

/// The names of one archive's blobs.
struct ArchiveNames: Sendable {
    let account: String
    let vault: [UInt8]
    let archive: [UInt8]

    func manifest(_ generation: UInt64) -> String {
        BlobName.manifest(account: account, vaultUID: vault, archiveUID: archive, generation: generation).text
    }
    func deletion(_ generation: UInt64) -> String {
        BlobName.deletion(account: account, vaultUID: vault, archiveUID: archive, generation: generation).text
    }
    func upload(_ generation: UInt64) -> String {
        BlobName.upload(account: account, vaultUID: vault, archiveUID: archive, generation: generation).text
    }
    func part(_ index: UInt32, _ number: UInt64) -> String {
        BlobName.part(account: account, vaultUID: vault, archiveUID: archive, index: index, number: number).text
    }
}

/// What the remains of one archive uid came to.
struct ArchiveJudgement: Sendable {
    var archive: ArchiveRow?
    var upload: RebuiltUpload?
    var doomed: [DoomedBlob] = []
    var findings: [RebuildFinding] = []
    var isPurged = false
    /// When an archive of the vault was added or deleted by it, last.
    var lastChange: Timestamp?
    /// The newest time in what verified.
    var newestTime: Timestamp?
    var keyVersions: Set<UInt32> = []
    var verifiedBytes: UInt64 = 0

    mutating func saw(_ time: Timestamp) { newestTime = newestTime.map { max($0, time) } ?? time }
    mutating func changed(_ time: Timestamp) {
        lastChange = lastChange.map { max($0, time) } ?? time
        saw(time)
    }
}
