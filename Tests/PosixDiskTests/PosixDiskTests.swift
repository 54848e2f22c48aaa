// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import Foundation
import NIOCore
import PosixDisk
import Storage
import StorageLaws
import Testing
import VaultModel

/// The file systems and ways of making files that the laws are run on.
enum DiskUnderTest: CaseIterable, Sendable {
    case nameless, named, memoryFileSystem

    func run(_ body: (PosixDisk, String) async throws -> Void) async throws {
        let pool = BlockingPool(name: "disk", threads: 2)
        let memory = "/dev/shm"
        let parent = self == .memoryFileSystem && FileManager.default.isWritableFile(atPath: memory) ? memory : nil
        try await withTemporaryDirectory(in: parent) {
            try await body(PosixDisk(pool: pool, nameTemporaries: self == .named), $0)
        }
        await pool.shutdown()
    }

    static var openDescriptors: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
    }
}

@Suite(.timeLimit(.minutes(5)), .serialized) struct PosixDiskTests {
    @Test(arguments: DiskLaw.allCases, DiskUnderTest.allCases)
    func keepsTheLaw(_ law: DiskLaw, on disk: DiskUnderTest) async throws {
        try await disk.run { try await law.check($0, $1) }
    }

    @Test(arguments: DiskLaw.allCases) func simulationKeepsTheLaw(_ law: DiskLaw) async throws {
        let disk = SimulatedDisk()
        try await disk.createDirectory("/d")
        try await law.check(disk, "/d")
        #expect(disk.openFileCount == 0)
    }

    @Test(arguments: DiskUnderTest.allCases) func droppedFilesAreClosedAndLeaveNothing(_ disk: DiskUnderTest)
        async throws
    {
        try await disk.run { disk, directory in
            let before = DiskUnderTest.openDescriptors
            for _ in 0..<200 {
                let file = try await disk.createTemporary(in: directory)
                try await file.write(ByteBuffer(string: "x"))
            }
            // The last reference to the last file may go a moment later, on the thread that wrote it.
            for _ in 0..<10_000 where try await !disk.entries(of: directory).isEmpty { await Task.yield() }
            #expect(try await disk.entries(of: directory) == [])
            #expect(DiskUnderTest.openDescriptors < before + 100)
        }
    }

    @Test(arguments: DiskUnderTest.allCases) func filesAndDirectoriesAreForTheOwnerOnly(_ disk: DiskUnderTest)
        async throws
    {
        try await disk.run { disk, directory in
            try await disk.createDirectory("\(directory)/d")
            try await disk.replace("\(directory)/d/replaced", with: [1])
            let file = try await disk.createTemporary(in: "\(directory)/d")
            try await file.sync()
            try await disk.publish(file, at: "\(directory)/d/published")
            for (path, mode) in [("d", 0o700), ("d/replaced", 0o600), ("d/published", 0o600)] {
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(directory)/\(path)")
                #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == mode, "\(path)")
            }
        }
    }

    @Test func leftOverHiddenNamesAreSteppedOver() async throws {
        try await DiskUnderTest.named.run { disk, directory in
            for number in 1...3 {
                let path =
                    "\(directory)/\(PosixDisk.temporaryPrefix)\(ProcessInfo.processInfo.processIdentifier)-\(number)"
                #expect(FileManager.default.createFile(atPath: path, contents: Data("old".utf8)))
            }
            let file = try await disk.createTemporary(in: directory)
            #expect(try await file.size() == 0)
            await file.close()
            #expect(try await disk.entries(of: directory).count == 3)
        }
    }

    @Test func symbolicLinksAreNotFollowed() async throws {
        try await DiskUnderTest.nameless.run { disk, directory in
            try await disk.replace("\(directory)/target", with: [1])
            try FileManager.default.createSymbolicLink(
                atPath: "\(directory)/link", withDestinationPath: "\(directory)/target")
            await expectCode(.unusable) { try await disk.openFile("\(directory)/link") }
            await expectCode(.unusable) { try await disk.readAll("\(directory)/link", limit: 9) }
            #expect(try await disk.size(of: "\(directory)/link") == nil)
            #expect(try await disk.entries(of: directory).map(\.name) == ["target"])
        }
    }

    @Test func errorsNameTheCallThePathAndTheRemedy() async throws {
        try await DiskUnderTest.nameless.run { disk, directory in
            do {
                _ = try await disk.openFile("\(directory)/none")
                Issue.record("opened nothing")
            } catch let error as StorageError {
                #expect(error.message.contains("open \(directory)/none: No such file or directory"))
            }
        }
    }

    @Test func longNamesAreUnusable() async throws {
        try await DiskUnderTest.nameless.run { disk, directory in
            await expectCode(.unusable) {
                try await disk.openFile("\(directory)/\(String(repeating: "n", count: 300))")
            }
        }
    }

    @Test func secondHolderOfADirectoryIsRefused() async throws {
        let pool = BlockingPool(name: "lock", threads: 1)
        try await withTemporaryDirectory { directory in
            let first = try await DirectoryLock.acquire(directory: directory, on: pool)
            await expectCode(.unusable) { try await DirectoryLock.acquire(directory: directory, on: pool) }
            first.release()
            first.release()
            let second = try await DirectoryLock.acquire(directory: directory, on: pool)
            second.release()
            await expectCode(.notFound) { try await DirectoryLock.acquire(directory: "\(directory)/none", on: pool) }
        }
        await pool.shutdown()
    }

    @Test func hardeningMakesCoreDumpsImpossible() async throws {
        await #expect(processExitsWith: .success) {
            try ProcessHardening.disableCoreDumps()
            let limits = try String(contentsOfFile: "/proc/self/limits", encoding: .utf8)
            let core = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
            try #require(core?.split(separator: " ").contains("0") == true)
            // Nameless files are published through /proc/self/fd, which must still work.
            let pool = BlockingPool(name: "disk", threads: 1)
            let disk = PosixDisk(pool: pool)
            try await withTemporaryDirectory { directory in
                let file = try await disk.createTemporary(in: directory)
                try await file.sync()
                try await disk.publish(file, at: "\(directory)/x")
            }
        }
    }
}

@Suite struct SystemSourceTests {
    @Test func clockIsTheWallClock() async throws {
        let before = Int64(Date().timeIntervalSince1970 * 1000)
        let now = SystemTimeSource().now().milliseconds
        #expect((before - 1...before + 60_000).contains(now))
        let task = Task { try await SystemTimeSource().sleep(for: .seconds(600)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func randomBytesFillBuffersOfAnyLengthAndDiffer() {
        for count in [0, 1, 255, 256, 257, 1000] {
            let bytes = SystemRandomBytes().bytes(count)
            #expect(bytes.count == count)
            if count >= 255 {
                #expect(bytes != SystemRandomBytes().bytes(count))
                // 200 bytes and more without a hundred different values: less likely than a meteorite.
                #expect(Set(bytes).count > 100)
            }
        }
        #expect(SystemRandomBytes().bytes(1000).suffix(32).contains { $0 != 0 })
    }
}
