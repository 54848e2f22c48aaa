// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import FileBlobStore
import Foundation
import Logging
import NIOCore
import PosixDisk
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// What a vault of a million archives costs, measured by hand:
///
///     COLDVAULT_MILLION=1000000 swift test -c release -Xswiftc -enable-testing --filter MillionArchives
///
/// Prints the rows of Docs/Testing.md. A measurement, not a test: nothing is judged but that the inventory is whole.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["COLDVAULT_MILLION"] != nil))
struct MillionArchivesMeasurement {
    private let count = Int(ProcessInfo.processInfo.environment["COLDVAULT_MILLION"] ?? "") ?? 1000

    @Test func aVaultOfManyArchives() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault { vault in
                let row = try #require(try await vault.catalog.vault(at: vault.location))
                try await report("insert \(count) archives") { try await fill(vault, row) }
                try await report("DescribeVault") { _ = try await vault.engine.describeVault(vault.location) }
                let middle = try #require(
                    try await vault.catalog.archives(
                        vault: row.uid, after: nil, from: created(count - 500), until: nil, limit: 1
                    ).first)
                try await report("first inventory page of 500") {
                    _ = try await vault.catalog.archives(vault: row.uid, after: nil, from: nil, until: nil, limit: 500)
                }
                try await report("last inventory page of 500") {
                    _ = try await vault.catalog.archives(
                        vault: row.uid, after: ArchivePosition(created: middle.created, uid: middle.uid), from: nil,
                        until: nil, limit: 500)
                }
                let pool = BlockingPool(name: "disk", threads: 4)
                let warm = FileBlobStore(disk: PosixDisk(pool: pool), root: "\(directory)/staging", reserveBytes: 0)
                let engine = VaultEngine(
                    configuration: vault.setup, catalog: vault.catalog, cold: vault.cold, warm: warm, keyring: vault.keyring,
                    compute: TestVault.compute, clock: vault.clock, random: vault.random,
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
                let before = Self.residentKiB()
                try await report("inventory job of \(count) archives") {
                    try await vault.running([engine]) {
                        let id = try await engine.initiateJob(
                            vault.location,
                            JobRequest(action: .inventory(InventoryParameters()), tier: nil, description: nil, snsTopic: nil))
                        let end = ContinuousClock.now + .seconds(3600)
                        while try await engine.describeJob(vault.location, jobID: id).status == .inProgress, ContinuousClock.now < end {
                            try await Task.sleep(for: .milliseconds(20))
                        }
                        let job = try await engine.describeJob(vault.location, jobID: id)
                        #expect(job.status == .succeeded)
                        let lines = try await Self.archives(in: engine.openOutput(vault.location, jobID: id, range: .whole))
                        #expect(lines == count)
                        print("inventory: \(job.inventoryBytes ?? 0) bytes, resident \(before) KiB before, \(Self.residentKiB()) KiB after")
                    }
                }
                await pool.shutdown()
            }
        }
    }

    private func created(_ index: Int) -> Timestamp { Timestamp(milliseconds: 1_700_000_000_000 + Int64(index)) }

    private func fill(_ vault: TestVault, _ row: VaultRow) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<64 {
                group.addTask {
                    for index in stride(from: lane, to: count, by: 64) {
                        let uid = ArchiveUID(random: vault.random)
                        let id = vault.keyring.identifiers.mint(
                            .archive, uid: uid.words, vault: row.uid, account: row.location.account, random: vault.random)
                        let column = try vault.keyring.seal(
                            ArchiveColumn(description: "archive \(index)", treeHash: SHA256Hasher.hash(uid.bytes)), uid: uid.bytes,
                            of: row, random: vault.random)
                        let archive = ArchiveRow(
                            uid: uid, id: id.text, vault: row.uid, state: .stored, created: created(index), size: 1 << 20,
                            partCount: 1, generation: 1, keyVersion: 1, sealed: column)
                        guard try await vault.catalog.commitArchive(archive, from: nil) == .stored else {
                            throw TestVault.DidNotHappen(what: "the commit of an archive")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// How many archives a JSON inventory lists, without holding it.
    private static func archives(in output: JobOutput) async throws -> Int {
        let counter = Counter()
        try await output.stream { buffer in counter.feed(buffer.readableBytesView) }
        return counter.found
    }

    /// Counts the name of a member that each entry has once; used by one stream, piece after piece.
    private final class Counter: @unchecked Sendable {
        private let wanted = Array("\"ArchiveId\"".utf8)
        private var matched = 0
        var found = 0

        func feed(_ bytes: some Collection<UInt8>) {
            for byte in bytes {
                matched = byte == wanted[matched] ? matched + 1 : byte == wanted[0] ? 1 : 0
                if matched == wanted.count {
                    found += 1
                    matched = 0
                }
            }
        }
    }

    private func report(_ what: String, _ body: () async throws -> Void) async throws {
        let start = ContinuousClock.now
        try await body()
        print("\(what): \(ContinuousClock.now - start)")
    }

    private static func residentKiB() -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
    }
}
