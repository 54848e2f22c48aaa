// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

extension SeededGenerator {
    mutating func uid<ID: UniqueIdentifier>() -> ID { ID(words: UIDWords(high: next(), low: next())) }
}

/// Rows with plausible contents, every field set to something that a mix-up would show.
struct CatalogFixtures {
    var choices: SeededGenerator
    init(seed: UInt64 = 1) { choices = SeededGenerator(seed: seed) }

    static func time(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: 1_700_000_000_000 + milliseconds) }

    mutating func sealed(_ version: UInt32 = 7) -> SealedColumnValue {
        SealedColumnValue(keyVersion: version, bytes: choices.bytes(24))
    }

    func accountID(_ number: Int) throws -> AccountID {
        let digits = String(number)
        return try #require(AccountID(String(repeating: "0", count: 12 - digits.count) + digits))
    }

    mutating func account(_ number: Int = 1, generation: UInt64 = 1, master: UInt32 = 1) throws -> AccountRow {
        AccountRow(
            id: try accountID(number), state: .active, created: Self.time(Int64(number)), generation: generation,
            masterVersion: master)
    }

    mutating func accessKey(_ id: String, of account: AccountID, user: UserName? = nil) -> AccessKeyRow {
        AccessKeyRow(id: id, account: account, user: user, state: .disabled, created: Self.time(5), secret: sealed(3))
    }

    mutating func user(_ name: String, of account: AccountID) throws -> UserRow {
        UserRow(
            account: account, name: try #require(UserName(name)), state: .disabled, created: Self.time(6),
            policies: sealed(4))
    }

    static func topic(_ name: String, of account: AccountID, region: String = "us-east-1") throws -> TopicARN {
        try #require(TopicARN("arn:aws:sns:\(region):\(account):\(name)"))
    }

    mutating func topic(_ name: String, of account: AccountID) throws -> TopicRow {
        TopicRow(topic: try Self.topic(name, of: account), created: Self.time(7), target: sealed(5))
    }

    mutating func message(
        about job: JobRow, to topic: TopicARN, sequence: UInt32 = 0, notBefore: Int64 = 100
    ) -> OutboxRow {
        OutboxRow(
            id: choices.uid(), topic: topic, account: job.account, job: job.uid, sequence: sequence,
            created: Self.time(90), attempts: 2, notBefore: Self.time(notBefore), lastFailure: "refused",
            sealed: sealed(6))
    }

    mutating func vault(
        _ name: String = "photos", account: Int = 1, region: String = "us-east-1", keys: [UInt32] = [1]
    ) throws -> VaultRow {
        let location = VaultLocation(
            account: try accountID(account), region: try #require(Region(region)), name: try #require(VaultName(name)))
        let wraps = keys.map {
            VaultKeyWrap(version: $0, created: Self.time(2), masterVersion: 1, wrapped: choices.bytes(72))
        }
        return VaultRow(
            uid: choices.uid(), location: location, state: .active, created: Self.time(3), generation: 1,
            compression: "lz4", keys: wraps,
            settings: sealed(2))
    }

    mutating func archive(
        in vault: VaultUID, created: Int64 = 10, size: UInt64 = 4096, keyVersion: UInt32 = 1
    ) -> ArchiveRow {
        let uid: ArchiveUID = choices.uid()
        return ArchiveRow(
            uid: uid, id: "archive-\(uid)", vault: vault, state: .stored, created: Self.time(created), size: size,
            partCount: 3,
            generation: 4, keyVersion: keyVersion, sealed: sealed(keyVersion))
    }

    mutating func upload(in vault: VaultUID, created: Int64 = 10, keyVersion: UInt32 = 1) -> UploadRow {
        let uid: UploadUID = choices.uid()
        let archive: ArchiveUID = choices.uid()
        return UploadRow(
            uid: uid, id: "upload-\(uid)", vault: vault, archive: archive, archiveID: "archive-\(archive)",
            state: .open,
            created: Self.time(created), lastActivity: Self.time(created), partBytes: 1 << 20, generation: 1,
            keyVersion: keyVersion,
            revision: 0, wrappedDataKey: choices.bytes(88), sealed: sealed(keyVersion))
    }

    mutating func part(of upload: UploadUID, _ index: UInt32, number: UInt64 = 1) -> PartRow {
        PartRow(
            upload: upload, index: index, number: number, length: 1 << 20, blob: "\(upload).part-\(index)-\(number)",
            blobBytes: 1_050_000, sealed: sealed())
    }

    mutating func retrieval(
        of archive: ArchiveRow, account: Int = 1, created: Int64 = 20, notBefore: Int64? = nil, deadline: Int64 = 1000,
        tier: RetrievalTier = .standard, range: ByteRange? = nil
    ) throws -> JobRow {
        let uid: JobUID = choices.uid()
        return JobRow(
            uid: uid, id: "job-\(uid)", vault: archive.vault, account: try accountID(account),
            action: .archiveRetrieval,
            tier: tier.rawValue, state: .queued, created: Self.time(created),
            notBefore: Self.time(notBefore ?? created),
            deadline: Self.time(deadline), archive: archive.uid, archiveID: archive.id, archiveSize: archive.size,
            range: range ?? ByteRange.whole(size: archive.size), sealed: sealed())
    }

    mutating func inventory(of vault: VaultUID, account: Int = 1, created: Int64 = 20, deadline: Int64 = 1000) throws
        -> JobRow
    {
        let uid: JobUID = choices.uid()
        return JobRow(
            uid: uid, id: "job-\(uid)", vault: vault, account: try accountID(account), action: .inventoryRetrieval,
            tier: nil,
            state: .queued, created: Self.time(created), notBefore: Self.time(created), deadline: Self.time(deadline),
            archive: nil,
            archiveID: nil, archiveSize: nil, range: nil, sealed: sealed())
    }

    mutating func staged(for job: JobRow) -> StagedRow {
        let uid: StagedUID = choices.uid()
        return StagedRow(
            uid: uid, vault: job.vault, blob: "staged-\(uid)", blobBytes: 5000, archive: job.archive, range: job.range,
            created: Self.time(30), sealed: sealed())
    }

    /// `job` as its worker hands it back.
    mutating func finished(
        _ job: JobRow, as state: JobRow.State = .succeeded, expires: Int64 = 5000, staged: StagedUID? = nil
    ) -> JobRow {
        var job = job
        job.state = state
        job.sealed = sealed(8)
        job.completed = Self.time(100)
        job.expires = Self.time(expires)
        job.staged = staged
        job.outputBytes = 4096
        return job
    }
}

/// A catalog with one active vault, and what most laws begin with.
struct FurnishedCatalog {
    let catalog: any Catalog
    var fixtures: CatalogFixtures
    let vault: VaultRow

    init(_ catalog: any Catalog, seed: UInt64 = 1) async throws {
        self.catalog = catalog
        fixtures = CatalogFixtures(seed: seed)
        vault = try fixtures.vault()
        #expect(try await catalog.createVault(vault, limit: 1000) == .created)
    }

    mutating func storeArchive(created: Int64 = 10, size: UInt64 = 4096) async throws -> ArchiveRow {
        let archive = fixtures.archive(in: vault.uid, created: created, size: size)
        #expect(try await catalog.commitArchive(archive, from: nil) == .stored)
        return archive
    }

    mutating func openUpload(created: Int64 = 10, parts: UInt32 = 0) async throws -> (
        upload: UploadRow, parts: [PartRow]
    ) {
        let upload = fixtures.upload(in: vault.uid, created: created)
        #expect(try await catalog.insertUpload(upload))
        var stored: [PartRow] = []
        for index in 0..<parts {
            let part = fixtures.part(of: upload.uid, index)
            #expect(try await catalog.commitPart(part, at: .now(created + 1)) == .stored)
            stored.append(part)
        }
        return (upload, stored)
    }

    /// Inserts the job, takes its lease in a fresh epoch and finishes it.
    mutating func succeed(
        _ job: JobRow, expires: Int64 = 5000, staged: StagedRow? = nil
    ) async throws -> JobRow {
        #expect(try await catalog.insertJob(job))
        let epoch = try await catalog.beginEpoch()
        let claimed = try await catalog.claimJobs(
            like: job.uid, epoch: epoch, at: .now(50), leaseUntil: CatalogFixtures.time(60), limit: 1)
        let held = try #require(claimed.first)
        let finished = fixtures.finished(held, expires: expires, staged: staged?.uid)
        #expect(try await catalog.finishJob(finished, epoch: epoch, staged: staged) == .finished)
        return finished
    }

    /// A vault in another region, and an archive in it.
    mutating func storeArchive(inRegion region: String) async throws -> ArchiveRow {
        let abroad = try fixtures.vault("abroad", region: region)
        #expect(try await catalog.createVault(abroad, limit: 1000) == .created)
        let archive = fixtures.archive(in: abroad.uid)
        #expect(try await catalog.commitArchive(archive, from: nil) == .stored)
        return archive
    }

    /// Inserts an inventory job and takes its lease in a fresh epoch.
    mutating func lease() async throws -> (job: JobRow, epoch: UInt64) {
        let job = try fixtures.inventory(of: vault.uid)
        #expect(try await catalog.insertJob(job))
        let epoch = try await catalog.beginEpoch()
        let claimed = try await catalog.claimJobs(
            like: job.uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 1)
        return (try #require(claimed.first), epoch)
    }

    /// Finishes a fresh job with a message to each topic in turn, the sequence as given; returns the messages.
    mutating func announce(_ plan: [(topic: TopicARN, sequence: UInt32, notBefore: Int64)]) async throws -> [OutboxRow]
    {
        let (job, epoch) = try await lease()
        let messages = plan.map {
            fixtures.message(about: job, to: $0.topic, sequence: $0.sequence, notBefore: $0.notBefore)
        }
        let finished = fixtures.finished(job)
        #expect(try await catalog.finishJob(finished, epoch: epoch, staged: nil, messages: messages) == .finished)
        return messages
    }

    func doomed() async throws -> Set<DoomedBlob> {
        Set(try await catalog.doomedBlobs(at: Timestamp(milliseconds: .max), limit: 10_000))
    }
}
