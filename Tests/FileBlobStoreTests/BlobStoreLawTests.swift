// SPDX-License-Identifier: Apache-2.0

import Execution
import FileBlobStore
import Foundation
import NIOCore
import PosixDisk
import Storage
import StorageLaws
import Testing

/// Every store that must keep the laws.
enum StoreUnderTest: CaseIterable, Sendable {
    case files, filesWithNamedTemporaries, simulatedFiles, memory, coldMemory

    func run(_ body: (any BlobStore) async throws -> Void) async throws {
        switch self {
        case .files, .filesWithNamedTemporaries:
            let pool = BlockingPool(name: "disk", threads: 4)
            try await withTemporaryDirectory { directory in
                let disk = PosixDisk(pool: pool, nameTemporaries: self == .filesWithNamedTemporaries)
                try await body(FileBlobStore(disk: disk, root: "\(directory)/blobs", reserveBytes: 0))
                #expect(try await disk.entries(of: "\(directory)/blobs/\(FileBlobStore.incomingDirectory)") == [])
            }
            await pool.shutdown()
        case .simulatedFiles:
            let disk = SimulatedDisk()
            try await body(FileBlobStore(disk: disk, root: "/data/blobs", reserveBytes: 0))
            #expect(disk.openFileCount == 0)
        case .memory: try await body(MemoryBlobStore())
        case .coldMemory: try await body(MemoryBlobStore(recallDelay: .init(askings: 2, wait: .seconds(1))))
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct BlobStoreLawTests {
    @Test(arguments: BlobStoreLaw.allCases, StoreUnderTest.allCases)
    func keepsTheLaw(_ law: BlobStoreLaw, _ store: StoreUnderTest) async throws {
        try await store.run { try await law.check($0) }
    }

    @Test(arguments: BlobStoreRoomLaw.allCases) func simulatedFilesKeepTheLawsOfRoom(_ law: BlobStoreRoomLaw)
        async throws
    {
        let disk = SimulatedDisk(capacityBytes: BlobStoreRoomLaw.roomBytes)
        try await law.check(FileBlobStore(disk: disk, root: "/blobs", reserveBytes: 1 << 20))
        #expect(disk.openFileCount == 0)
    }

    @Test(arguments: BlobStoreRoomLaw.allCases) func memoryKeepsTheLawsOfRoom(_ law: BlobStoreRoomLaw) async throws {
        try await law.check(MemoryBlobStore(capacityBytes: BlobStoreRoomLaw.roomBytes))
    }
}

@Suite(.timeLimit(.minutes(5))) struct FileBlobStoreCrashTests {
    @Sendable static func store(_ disk: any Disk) -> any BlobStore {
        FileBlobStore(disk: disk, root: "/data/blobs", reserveBytes: 0)
    }

    @Test func acknowledgedBlobsSurvivePowerCuts() async throws {
        let law = BlobStoreCrashLaw(makeStore: Self.store)
        for seed in Seeds.first(200) {
            let violations = await law.violations(seed: seed)
            #expect(violations == [])
            if !violations.isEmpty { break }
        }
    }

    /// The law can fail: a disk that only claims to sync is found out.
    @Test(arguments: LyingDisk.Lie.allCases) func diskThatLiesAboutSyncIsFoundOut(_ lie: LyingDisk.Lie) async throws {
        let law = BlobStoreCrashLaw(wrap: { LyingDisk(disk: $0, lie: lie) }, makeStore: Self.store)
        var found = false
        for seed in Seeds.first(60) where !found { found = await !law.violations(seed: seed).isEmpty }
        #expect(found)
    }

    @Test func everySingleFailingCallLeavesAWholeBlobOrNone() async throws {
        let content = pattern(5000, 1)
        var number = 0
        var succeeded = false
        while !succeeded {
            for code in [StorageError.Code.integrity, .noSpace, .transient] {
                let disk = SimulatedDisk()
                let store = Self.store(disk)
                try await store.putAll([(try blob("v/before"), ByteBuffer(string: "kept"))])
                let used = disk.usedBytes
                disk.fail(operation: disk.operationCount + number, with: code)
                let id = try blob("v/new/blob")
                var thrown: StorageError?
                do {
                    let writer = try await store.beginWrite(id, expectedBytes: 5000)
                    try await writer.write(ByteBuffer(bytes: content))
                    try await writer.commit()
                } catch {
                    thrown = error
                }
                disk.heal()
                #expect(disk.openFileCount == 0)
                let there = try await store.size(of: id) != nil
                if there {
                    #expect(try await readBack(store, id) == content)
                    // Visible without success: only when the outcome is told to be unknown, or when the link itself
                    // failed half-way.
                    if let thrown { #expect(thrown.code == .outcomeUnknown || thrown.code == code) }
                } else {
                    #expect(thrown != nil)
                    #expect(disk.usedBytes == used)
                }
                #expect(try await readBack(store, try blob("v/before")) == Array("kept".utf8))
                succeeded = thrown == nil
            }
            number += 1
            try #require(number < 100)
        }
        #expect(number > 5)
    }

    @Test func failedDirectorySyncIsAnUnknownOutcome() async throws {
        let disk = SimulatedDisk()
        let store = Self.store(disk)
        try await store.putAll([(try blob("v/a"), ByteBuffer(string: "a"))])
        // Of a single blob's put: room is known, then create, write, sync, link, directory sync.
        disk.fail(operation: disk.operationCount + 4, with: .integrity)
        await expectCode(.outcomeUnknown) { try await store.putAll([(try blob("v/b"), ByteBuffer(string: "b"))]) }
        #expect(disk.openFileCount == 0)
    }
}

/// A disk that acknowledges syncs it has not done.
struct LyingDisk: Disk {
    enum Lie: CaseIterable, Sendable { case directories, files }

    let disk: SimulatedDisk
    let lie: Lie

    func createDirectory(_ path: String) async throws(StorageError) { try await disk.createDirectory(path) }
    func syncDirectory(_ path: String) async throws(StorageError) {
        if lie != .directories { try await disk.syncDirectory(path) }
    }
    func createTemporary(in directory: String) async throws(StorageError) -> any DiskFile {
        let file = try await disk.createTemporary(in: directory)
        return lie == .files ? LyingFile(file: file) : file
    }
    func openFile(_ path: String) async throws(StorageError) -> any DiskFile { try await disk.openFile(path) }
    func publish(_ file: any DiskFile, at path: String) async throws(StorageError) {
        try await disk.publish((file as? LyingFile)?.file ?? file, at: path)
    }
    func replace(_ path: String, with bytes: [UInt8]) async throws(StorageError) {
        try await disk.replace(path, with: bytes)
    }
    func readAll(_ path: String, limit: Int) async throws(StorageError) -> [UInt8] {
        try await disk.readAll(path, limit: limit)
    }
    func remove(_ path: String) async throws(StorageError) { try await disk.remove(path) }
    func size(of path: String) async throws(StorageError) -> UInt64? { try await disk.size(of: path) }
    func entries(of directory: String) async throws(StorageError) -> [DiskEntry] {
        try await disk.entries(of: directory)
    }
    func availableBytes(at path: String) async throws(StorageError) -> UInt64 {
        try await disk.availableBytes(at: path)
    }
}

struct LyingFile: DiskFile {
    let file: any DiskFile
    func write(_ bytes: ByteBuffer) async throws(StorageError) { try await file.write(bytes) }
    func read(_ range: Range<UInt64>) async throws(StorageError) -> ByteBuffer { try await file.read(range) }
    func size() async throws(StorageError) -> UInt64 { try await file.size() }
    func sync() async throws(StorageError) {}
    func close() async { await file.close() }
}
