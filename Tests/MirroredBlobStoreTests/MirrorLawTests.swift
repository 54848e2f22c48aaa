// SPDX-License-Identifier: Apache-2.0

import FileBlobStore
import NIOCore
import Storage
import StorageLaws
import Testing

@testable import MirroredBlobStore

/// Two copies are a store like any other.
@Suite(.timeLimit(.minutes(5))) struct MirrorLawTests {
    @Test(arguments: BlobStoreLaw.allCases) func twoFileStoresKeepTheLaw(_ law: BlobStoreLaw) async throws {
        let (first, second) = (SimulatedDisk(), SimulatedDisk())
        try await law.check(Mirrored.store(first, second))
        #expect(first.openFileCount == 0 && second.openFileCount == 0)
    }

    @Test(arguments: BlobStoreRoomLaw.allCases) func theLawsOfRoomAreThoseOfTheFirst(_ law: BlobStoreRoomLaw) async throws {
        let (first, second) = (SimulatedDisk(capacityBytes: BlobStoreRoomLaw.roomBytes), SimulatedDisk())
        try await law.check(Mirrored.store(first, second, reserveBytes: 1 << 20))
    }

    @Test func acknowledgedBlobsSurvivePowerCutsOfBothDisksAtOnce() async throws {
        // Both roots on one disk: one cut hits everything, wherever it comes.
        let law = BlobStoreCrashLaw(makeStore: { Mirrored.store($0, $0) })
        for seed in Seeds.first(100) {
            let violations = await law.violations(seed: seed)
            #expect(violations == [])
            if !violations.isEmpty { break }
        }
    }
}

/// Mirrored stores over simulated disks.
enum Mirrored {
    static func store(
        _ first: any Disk, _ second: any Disk, reserveBytes: UInt64 = 0, policy: MirrorFailurePolicy = .proceed
    ) -> MirroredBlobStore {
        MirroredBlobStore(
            primary: FileBlobStore(disk: first, root: "/data/blobs", reserveBytes: reserveBytes),
            mirror: FileBlobStore(disk: second, root: "/mirror/blobs", reserveBytes: 0),
            ledger: FileBlobStore(disk: first, root: "/data/mirror-owed", reserveBytes: 0), policy: policy)
    }

    static func memory(
        policy: MirrorFailurePolicy = .proceed, mirrorBytes: UInt64 = .max
    ) -> (store: MirroredBlobStore, first: MemoryBlobStore, second: MemoryBlobStore, ledger: MemoryBlobStore) {
        let (first, second, ledger) = (MemoryBlobStore(), MemoryBlobStore(capacityBytes: mirrorBytes), MemoryBlobStore())
        return (MirroredBlobStore(primary: first, mirror: second, ledger: ledger, policy: policy), first, second, ledger)
    }
}
