// SPDX-License-Identifier: Apache-2.0

import Cryptography
import FileBlobStore
import NIOCore
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import MirroredBlobStore

/// A data directory and a mirror on simulated disks that can be lost or swapped.
private struct Pair {
    let second: SimulatedDisk
    let store: MirroredBlobStore
    let synchronizer: MirrorSynchronizer

    init(second: SimulatedDisk = SimulatedDisk(), over other: SimulatedDisk? = nil, policy: MirrorFailurePolicy = .proceed) {
        self.init(first: other ?? SimulatedDisk(), second: second, policy: policy)
    }

    private init(first: SimulatedDisk, second: SimulatedDisk, policy: MirrorFailurePolicy) {
        self.second = second
        let disk = TwoDisks(first: first, second: second)
        store = Mirrored.store(disk, disk, policy: policy)
        synchronizer = MirrorSynchronizer(
            pair: MirrorPair(disk: disk, dataDirectory: "/data", mirrorDirectory: "/mirror"), store: store, clock: StillClock(),
            random: CountingRandom(), bytesPerSecond: nil)
        primaryDisk = first
    }
    let primaryDisk: SimulatedDisk

    func put(_ name: String, _ text: String) async throws { try await store.putAll([(try blob(name), ByteBuffer(string: text))]) }
    func onMirror() async throws -> [String] { try await store.mirror.list(prefix: "", after: nil, limit: 10_000).map(\.id.name) }
}

@Suite struct MirrorSynchronizerTests {
    @Test func anExistingVaultIsCopiedWholeToANewMirror() async throws {
        let first = SimulatedDisk()
        let alone = FileBlobStore(disk: first, root: "/data/blobs", reserveBytes: 0)
        for number in 0..<1200 { try await alone.putAll([(try blob("v/\(number % 7)/b\(number)"), ByteBuffer(string: "\(number)"))]) }
        let pair = Pair(over: first)
        try await pair.synchronizer.prepare()
        #expect(pair.store.copyStates.last?.isComplete == false)
        try await pair.put("v/new", "during")
        try await pair.synchronizer.round()
        #expect(try await pair.onMirror() == alone.list(prefix: "", after: nil, limit: 10_000).map(\.id.name))
        #expect(pair.store.copyStates.last?.isComplete == true)
        #expect(try await readBack(pair.store.mirror, try blob("v/3/b3")) == Array("3".utf8))
    }

    @Test func aMirrorThatIsNotMountedIsLeftAloneAndThenGivenWhatItMissed() async throws {
        let (first, second) = (SimulatedDisk(), SimulatedDisk())
        let before = Pair(second: second, over: first)
        try await before.synchronizer.prepare()
        try await before.put("v/a", "a")
        try await before.put("v/gone", "x")
        try await before.synchronizer.round()

        // The mount point without its disk.
        let emptyDisk = SimulatedDisk()
        let without = Pair(second: emptyDisk, over: first)
        try await without.synchronizer.prepare()
        #expect(without.store.copies.count == 1)
        #expect(without.store.copyStates.last?.isUsable == false)
        try await without.put("v/b", "b")
        try await without.store.delete(try blob("v/gone"))
        try await without.synchronizer.round()
        #expect(try await emptyDisk.entries(of: "/") == [] && emptyDisk.usedBytes == 0)

        let again = Pair(second: second, over: first)
        try await again.synchronizer.prepare()
        #expect(again.store.copyStates.last?.owed == 2)
        try await again.synchronizer.round()
        #expect(try await again.onMirror() == ["v/a", "v/b"])
        #expect(again.store.copyStates.last?.isComplete == true)
    }

    @Test func aMirrorThatDisappearsWhileServingIsNoticedAndComparedWholeAfterwards() async throws {
        let (first, second) = (SimulatedDisk(), SimulatedDisk())
        let pair = Pair(second: second, over: first)
        try await pair.synchronizer.prepare()
        try await pair.synchronizer.round()
        let file = try await second.readAll("/mirror/mirror.json", limit: 4096)
        try await second.remove("/mirror/mirror.json")
        // Not noticed yet: acknowledged, and perhaps on the wrong disk. Here it is taken away again.
        try await pair.put("v/lost", "1")
        try await second.remove("/mirror/blobs/v/lost")
        try await pair.synchronizer.round()
        #expect(pair.store.copyStates.last?.isUsable == false)
        try await pair.put("v/owed", "2")
        try await second.replace("/mirror/mirror.json", with: file)
        try await pair.synchronizer.round()
        #expect(try await pair.onMirror() == ["v/lost", "v/owed"])
    }

    @Test func anotherVaultsMirrorIsRefusedAndNothingIsWritten() async throws {
        let second = SimulatedDisk()
        let owner = Pair(second: second)
        try await owner.synchronizer.prepare()
        let stranger = Pair(second: second)
        await expectCode(.unusable) { try await stranger.synchronizer.prepare() }
        #expect(try await stranger.primaryDisk.size(of: "/data/mirror.json") == nil)
    }

    @Test func refuseAcceptsNothingWhileTheMirrorIsAway() async throws {
        let first = SimulatedDisk()
        let pair = Pair(over: first, policy: .refuse)
        try await pair.synchronizer.prepare()
        let without = Pair(second: SimulatedDisk(), over: first, policy: .refuse)
        try await without.synchronizer.prepare()
        await expectCode(.transient) { try await without.put("v/a", "a") }
        await expectCode(.transient) { _ = try await without.store.beginWrite(try blob("v/a"), expectedBytes: 1) }
        #expect(try await without.store.size(of: try blob("v/a")) == nil)
    }

    @Test func oneOwedBlobThatCannotBeCopiedDoesNotKeepTheOthers() async throws {
        let first = SimulatedDisk()
        let pair = Pair(over: first)
        try await pair.synchronizer.prepare()
        try await pair.store.link.missed(writesOf: [try blob("v/a"), try blob("v/b")])
        try await pair.store.primary.putAll([(try blob("v/a"), ByteBuffer(string: "a")), (try blob("v/b"), ByteBuffer(string: "b"))])
        // A directory stands where the mirror would put the first.
        try await pair.second.createDirectory("/mirror/blobs/v/a")
        await #expect(throws: StorageError.self) { try await pair.synchronizer.round() }
        #expect(try await pair.store.mirror.size(of: try blob("v/b")) == 1)
    }
}

/// Two disks under one: paths below `/mirror` lie on the second.
private struct TwoDisks: Disk {
    let first: SimulatedDisk
    let second: SimulatedDisk
    private func disk(_ path: String) -> SimulatedDisk { path.hasPrefix("/mirror/") || path == "/mirror" ? second : first }

    func createDirectory(_ path: String) async throws(StorageError) { try await disk(path).createDirectory(path) }
    func syncDirectory(_ path: String) async throws(StorageError) { try await disk(path).syncDirectory(path) }
    func createTemporary(in directory: String) async throws(StorageError) -> any DiskFile {
        try await disk(directory).createTemporary(in: directory)
    }
    func openFile(_ path: String) async throws(StorageError) -> any DiskFile { try await disk(path).openFile(path) }
    func publish(_ file: any DiskFile, at path: String) async throws(StorageError) { try await disk(path).publish(file, at: path) }
    func replace(_ path: String, with bytes: [UInt8]) async throws(StorageError) { try await disk(path).replace(path, with: bytes) }
    func readAll(_ path: String, limit: Int) async throws(StorageError) -> [UInt8] { try await disk(path).readAll(path, limit: limit) }
    func remove(_ path: String) async throws(StorageError) { try await disk(path).remove(path) }
    func size(of path: String) async throws(StorageError) -> UInt64? { try await disk(path).size(of: path) }
    func entries(of directory: String) async throws(StorageError) -> [DiskEntry] { try await disk(directory).entries(of: directory) }
    func availableBytes(at path: String) async throws(StorageError) -> UInt64 { try await disk(path).availableBytes(at: path) }
}

private struct StillClock: TimeSource {
    func now() -> Timestamp { Timestamp(milliseconds: 1_700_000_000_000) }
    func monotonic() -> Duration { .zero }
    func sleep(for duration: Duration) async throws { try Task.checkCancellation() }
}

private struct CountingRandom: RandomByteSource {
    func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        for index in buffer.indices { buffer[index] = UInt8(truncatingIfNeeded: index) }
    }
}
