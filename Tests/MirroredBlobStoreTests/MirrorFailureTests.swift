// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Storage
import StorageLaws
import Testing

@testable import MirroredBlobStore

@Suite struct MirrorFailureTests {
    private func write(_ store: any BlobStore, _ name: String, _ bytes: [UInt8]) async throws {
        let writer = try await store.beginWrite(try blob(name), expectedBytes: UInt64(bytes.count))
        try await writer.write(ByteBuffer(bytes: bytes))
        try await writer.commit()
    }

    @Test func bothHaveWhatWasAcknowledged() async throws {
        let (store, first, second, ledger) = Mirrored.memory()
        try await write(store, "v/a", pattern(3000, 1))
        try await store.putAll([(try blob("v/b"), ByteBuffer(bytes: pattern(10, 2)))])
        #expect(first.blobs == second.blobs && first.blobs.count == 2)
        try await store.delete(try blob("v/a"))
        #expect(first.blobs.count == 1 && second.blobs.count == 1)
        #expect(ledger.blobs.isEmpty)
    }

    @Test(arguments: [MemoryBlobStore.Operation.beginWrite, .write, .commit, .putAll])
    func aMirrorThatFailsIsOwedTheWrite(_ operation: MemoryBlobStore.Operation) async throws {
        let (store, first, second, ledger) = Mirrored.memory()
        second.fail(operation, with: [.integrity])
        if operation == .putAll {
            try await store.putAll([(try blob("v/a"), ByteBuffer(bytes: pattern(3000, 1)))])
        } else {
            try await write(store, "v/a", pattern(3000, 1))
        }
        #expect(first.blobs[try blob("v/a")] == pattern(3000, 1))
        #expect(second.blobs.isEmpty)
        #expect(ledger.blobs.keys.map(\.name) == ["write/v/a"])
        #expect(store.copyStates.last?.isComplete == false && store.copyStates.last?.owed == 1)
    }

    @Test(arguments: [MemoryBlobStore.Operation.beginWrite, .write, .commit, .putAll])
    func withRefuseNothingIsAcknowledgedThatIsNotOnBoth(_ operation: MemoryBlobStore.Operation) async throws {
        let (store, first, second, _) = Mirrored.memory(policy: .refuse)
        second.fail(operation, with: [.noSpace])
        await #expect(throws: StorageError.self) {
            if operation == .putAll {
                try await store.putAll([(try blob("v/a"), ByteBuffer(bytes: pattern(3000, 1)))])
            } else {
                try await write(store, "v/a", pattern(3000, 1))
            }
        }
        // Where the first copy was written before the mirror failed, nobody is told that it is not there.
        #expect(second.blobs.isEmpty)
        if operation == .beginWrite || operation == .write { #expect(first.blobs.isEmpty) }
    }

    @Test func whatTheLedgerCannotTakeIsNotAcknowledged() async throws {
        let (store, _, second, ledger) = Mirrored.memory()
        second.fail(.putAll, with: [.integrity])
        ledger.fail(.putAll, with: [.noSpace])
        await expectCode(.outcomeUnknown) { try await store.putAll([(try blob("v/a"), ByteBuffer(string: "a"))]) }
    }

    @Test func aNameThatTheFirstRefusesReachesNeither() async throws {
        let (store, first, second, _) = Mirrored.memory()
        try await write(first, "v/a", [1])
        await expectCode(.alreadyExists) { try await write(store, "v/a", [2]) }
        await expectCode(.alreadyExists) { try await store.putAll([(try blob("v/a"), ByteBuffer(bytes: [2]))]) }
        #expect(second.blobs.isEmpty)
    }

    @Test func missedDeletionsAreOwedAndABlobThatGoesIsOwedNoMore() async throws {
        let (store, _, second, ledger) = Mirrored.memory()
        try await write(store, "v/a", [1])
        second.fail(.delete, with: [.integrity])
        try await store.delete(try blob("v/a"))
        #expect(ledger.blobs.keys.map(\.name) == ["delete/v/a"])
        second.fail(.commit, with: [.integrity])
        try await write(store, "v/b", [2])
        try await store.delete(try blob("v/b"))
        #expect(ledger.blobs.keys.map(\.name) == ["delete/v/a"])
    }

    @Test func readsFallBackWhenTheFirstHasLostOrCannotRead() async throws {
        let (store, first, _, _) = Mirrored.memory()
        let id = try blob("v/a")
        try await write(store, "v/a", pattern(3000, 1))
        for code in [StorageError.Code.integrity, .notFound] {
            first.fail(.read, with: [code])
            #expect(try await store.read(id, range: 5..<9) == ByteBuffer(bytes: pattern(3000, 1)[5..<9]))
        }
        first.overwrite(id, with: nil)
        #expect(try await store.size(of: id) == 3000)
        #expect(try await readBack(store, id) == pattern(3000, 1))
        // What is on neither is absent, and a passing trouble of the first is not hidden.
        await expectCode(.notFound) { try await store.read(try blob("v/none"), range: 0..<1) }
        first.fail(.read, with: [.transient])
        await expectCode(.transient) { try await store.read(id, range: 0..<1) }
    }

    @Test func eitherSideIsRepairedFromTheOtherAndTheDamagedBytesAreKept() async throws {
        let (firstDisk, secondDisk) = (SimulatedDisk(), SimulatedDisk())
        let store = Mirrored.store(firstDisk, secondDisk)
        let id = try blob("v/x/a")
        try await write(store, "v/x/a", pattern(3000, 1))
        firstDisk.corrupt("/data/blobs/v/x/a", at: 100)
        try await store.repair(id, copy: 0, from: 1)
        #expect(try await readBack(store.copies[0], id) == pattern(3000, 1))
        let kept = try await firstDisk.readAll("/data/blobs/.quarantine/v/x/a.1", limit: 4000)
        #expect(kept.count == 3000 && kept != pattern(3000, 1))
        // The mirror lost it; then it is damaged twice.
        try await secondDisk.remove("/mirror/blobs/v/x/a")
        try await store.repair(id, copy: 1, from: 0)
        for number in 1...2 {
            secondDisk.corrupt("/mirror/blobs/v/x/a", at: number)
            try await store.repair(id, copy: 1, from: 0)
            #expect(try await secondDisk.size(of: "/mirror/blobs/.quarantine/v/x/a.\(number)") == 3000)
        }
        #expect(try await readBack(store.copies[1], id) == pattern(3000, 1))
        // No listing shows what was set aside.
        #expect(try await store.copies[1].list(prefix: "", after: nil, limit: 9).map(\.id) == [id])
        #expect(firstDisk.openFileCount == 0 && secondDisk.openFileCount == 0)
    }

    @Test func aRepairThatIsCutOffAnywhereLeavesTheGoodCopyAndEveryByte() async throws {
        var number = 0
        var succeeded = false
        while !succeeded {
            let (firstDisk, secondDisk) = (SimulatedDisk(), SimulatedDisk())
            let store = Mirrored.store(firstDisk, secondDisk)
            let id = try blob("v/a")
            try await write(store, "v/a", pattern(3000, 1))
            firstDisk.corrupt("/data/blobs/v/a", at: 0)
            firstDisk.cutPower(atOperation: firstDisk.operationCount + number)
            do {
                try await store.repair(id, copy: 0, from: 1)
                succeeded = true
            } catch {}
            firstDisk.restorePower(seed: UInt64(number))
            let damaged = [try? await firstDisk.readAll("/data/blobs/v/a", limit: 4000), try? await firstDisk.readAll("/data/blobs/.quarantine/v/a.1", limit: 4000)]
            #expect(damaged.contains { $0 != nil && $0 != pattern(3000, 1) && $0?.count == 3000 }, "cut at \(number)")
            // Whatever happened, the next repair makes it good.
            let after = Mirrored.store(firstDisk, secondDisk)
            try await after.repair(id, copy: 0, from: 1)
            #expect(try await readBack(after.copies[0], id) == pattern(3000, 1))
            number += 1
            try #require(number < 60)
        }
        #expect(number > 5)
    }
}
