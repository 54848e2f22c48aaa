// SPDX-License-Identifier: Apache-2.0

import FileKeyCustody
import Logging
import MirroredBlobStore
import SQLiteCatalog
import SealedArchive
import Storage
import StorageLaws
import VaultModel

@testable import VaultEngine

/// What can happen to stored bytes.
enum Damage: CaseIterable, Sendable {
    case flipped, truncated, longer, missing

    func hit(_ id: BlobID, in store: MemoryBlobStore) {
        guard let bytes = store.blobs[id] else { return }
        switch self {
        case .flipped:
            var rotten = bytes
            rotten[bytes.count * 2 / 3] ^= 0x10
            store.overwrite(id, with: rotten)
        case .truncated: store.overwrite(id, with: Array(bytes.dropLast(17)))
        case .longer: store.overwrite(id, with: bytes + [0])
        case .missing: store.overwrite(id, with: nil)
        }
    }
}

extension MemoryBlobStore {
    func ids(containing text: String) -> [BlobID] { blobs.keys.filter { $0.name.contains(text) }.sorted() }
}

extension TestVault {
    /// An engine over other cold stores, with the keys and catalog of this vault (or another catalog).
    func engine(
        cold: any BlobStore, catalog other: (any Catalog)? = nil, clock: (any TimeSource)? = nil,
        keyCopies: [any KeyFileStore] = [], logger: Logger? = nil,
        _ adjust: (inout EngineConfiguration) -> Void = { _ in }
    ) -> VaultEngine {
        var configuration = setup
        adjust(&configuration)
        return VaultEngine(
            configuration: configuration, catalog: other ?? catalog, cold: cold, warm: warm, keyring: keyring,
            compute: Self.compute, clock: clock ?? self.clock, random: random, keyCopies: keyCopies,
            logger: logger ?? Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// A mirror beside the memory store, with everything that is there already on both.
    func mirrored() -> (store: MirroredBlobStore, mirror: MemoryBlobStore) {
        let mirror = MemoryBlobStore()
        for (id, bytes) in cold.memory.blobs { mirror.overwrite(id, with: bytes) }
        return (
            MirroredBlobStore(primary: cold.memory, mirror: mirror, ledger: MemoryBlobStore(), policy: .proceed), mirror
        )
    }

    func row(_ archiveID: String) async throws -> ArchiveRow? {
        var after: ArchivePosition?
        guard let vault = try await catalog.vault(at: location) else { return nil }
        while true {
            let page = try await catalog.archives(vault: vault.uid, after: after, from: nil, until: nil, limit: 100)
            if let found = page.first(where: { $0.id == archiveID }) { return found }
            guard page.count == 100, let last = page.last else { return nil }
            after = ArchivePosition(created: last.created, uid: last.uid)
        }
    }
}

extension TestVault {
    /// Retrieves through `engine`, which must be running. Nil when the job fails.
    func fetch(_ archiveID: String, from engine: VaultEngine) async throws -> [UInt8]? {
        let job = try await engine.initiateJob(
            location,
            JobRequest(action: .archive(archiveID: archiveID, range: nil), tier: nil, description: nil, snsTopic: nil))
        try await until("the end of a job") { try await engine.describeJob(location, jobID: job).status != .inProgress }
        guard try await engine.describeJob(location, jobID: job).status == .succeeded else { return nil }
        return try await output(job, of: engine)
    }
}

extension VaultEngine {
    /// A whole pass, unpaced.
    @discardableResult
    func scrubOnce() async throws -> ScrubTally {
        try await Scrubber(engine: self, limits: .unlimited).pass()
        return scrubDesk.current.tally
    }

    func damagedIDs() async throws -> [String] {
        try await damagedArchives(in: nil, after: nil, limit: 100).archives.map(\.archiveID)
    }
}
