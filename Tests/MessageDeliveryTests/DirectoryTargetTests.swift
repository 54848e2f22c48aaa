// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Messaging
import NIOCore
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import MessageDelivery

/// Messages as files, on a disk that forgets, fails and fills up.
@Suite struct DirectoryTargetTests {
    private static let directory = "/queue"

    private func path(_ message: TopicMessage) -> String { "\(Self.directory)/\(Envelope.fileName(of: message))" }

    private func content(_ message: TopicMessage, _ disk: SimulatedDisk) async -> [UInt8]? {
        try? await disk.readAll(path(message), limit: 1 << 20)
    }

    private func makeDisk() async throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        try await disk.createDirectory(Self.directory)
        return disk
    }

    @Test func aMessageBecomesOneFileHoweverOftenItIsDelivered() async throws {
        let (disk, message) = (try await makeDisk(), try TopicMessage.example())
        let target = DirectoryTarget(disk: disk)
        for _ in 0..<3 { try await target.deliver(message, to: Self.directory) }
        try await target.deliver(try TopicMessage.example(number: 2), to: Self.directory)
        #expect(await content(message, disk) == Envelope.bytes(of: message))
        let names = try await disk.entries(of: Self.directory).map(\.name)
        #expect(
            names == [
                "20260102T030405.678Z-00112233445566770000000000000001.json",
                "20260102T030405.678Z-00112233445566770000000000000002.json",
            ])
        #expect(disk.openFileCount == 0)
    }

    @Test func aFileThatWasTakenAwayComesBackWhenItIsDeliveredAgain() async throws {
        let (disk, message) = (try await makeDisk(), try TopicMessage.example())
        let target = DirectoryTarget(disk: disk)
        try await target.deliver(message, to: Self.directory)
        try await disk.remove(path(message))
        try await target.deliver(message, to: Self.directory)
        #expect(await content(message, disk) == Envelope.bytes(of: message))
    }

    /// The power goes in the middle of every call of a delivery; what survives is chosen by seed.
    @Test(arguments: Seeds.first(40)) func afterAPowerCutAFileIsThereWholeOrNotAtAllAndATakenOneIsThere(seed: UInt64)
        async throws
    {
        let message = try TopicMessage.example()
        for operation in 0..<8 {
            let disk = try await makeDisk()
            let target = DirectoryTarget(disk: disk)
            disk.cutPower(atOperation: disk.operationCount + operation)
            let first = await failure { () throws(DeliveryFailure) in
                try await target.deliver(message, to: Self.directory)
            }
            #expect(first == nil || first?.isTransient == true)
            disk.restorePower(seed: seed)
            let survived = await content(message, disk)
            #expect(survived == nil || survived == Envelope.bytes(of: message), "seed \(seed), call \(operation)")
            if first == nil { #expect(survived != nil, "seed \(seed), call \(operation): taken and lost") }
            // A name that was there before its directory was synced counts only from now on.
            try await target.deliver(message, to: Self.directory)
            disk.restorePower(seed: seed &+ 1)
            #expect(await content(message, disk) == Envelope.bytes(of: message), "seed \(seed), call \(operation)")
            #expect(disk.openFileCount == 0)
        }
    }

    @Test(arguments: [StorageError.Code.noSpace, .transient, .unusable]) func aDiskThatFailsIsAskedAgain(
        code: StorageError.Code
    ) async throws {
        let message = try TopicMessage.example()
        for operation in 0..<5 {
            let disk = try await makeDisk()
            let target = DirectoryTarget(disk: disk)
            disk.fail(operation: disk.operationCount + operation, with: code)
            let outcome = await failure { () throws(DeliveryFailure) in
                try await target.deliver(message, to: Self.directory)
            }
            #expect(outcome == nil || outcome?.isTransient == true, "call \(operation)")
            disk.heal()
            try await target.deliver(message, to: Self.directory)
            #expect(await content(message, disk) == Envelope.bytes(of: message))
            #expect(disk.openFileCount == 0)
        }
    }

    @Test func onlyADirectoryPassesTheCheck() async throws {
        let disk = try await makeDisk()
        let target = DirectoryTarget(disk: disk)
        try await target.check(Self.directory)
        let absent = await failure { () throws(DeliveryFailure) in try await target.check("/absent") }
        #expect(absent?.isTransient == false)
    }
}
